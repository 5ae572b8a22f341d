"""The providers that are known without any configuration.

Rules of this room: data. A URL stands without the /v1 that clients send themselves. `openai` has no
dialect of its own, for it serves two: the path of a request tells which.
"""

BUILT_IN: dict[str, dict[str, str]] = {
    "anthropic": {"url": "https://api.anthropic.com", "dialect": "anthropic_messages"},
    "openai": {"url": "https://api.openai.com"},
    "gemini": {"url": "https://generativelanguage.googleapis.com", "dialect": "gemini"},
    "openrouter": {"url": "https://openrouter.ai/api", "dialect": "openai_chat"},
    "deepseek": {"url": "https://api.deepseek.com", "dialect": "openai_chat"},
    "xai": {"url": "https://api.x.ai", "dialect": "openai_chat"},
    "mistral": {"url": "https://api.mistral.ai", "dialect": "openai_chat"},
    "groq": {"url": "https://api.groq.com/openai", "dialect": "openai_chat"},
}
