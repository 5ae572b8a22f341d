"""The providers that are known without any configuration, and the presets of those that need some.

Rules of this room: data. A URL stands without the /v1 that clients send themselves. A dialect is
named only where an upstream has one: most serve several, and the path of a request tells which.

An engine on this machine is a preset and not built in: until somebody configures it, whatever else
listens on such a port must not be reachable through Holdfast.
"""

BUILT_IN: dict[str, dict[str, str]] = {
    "anthropic": {"url": "https://api.anthropic.com", "dialect": "anthropic_messages"},
    "openai": {"url": "https://api.openai.com"},
    "gemini": {"url": "https://generativelanguage.googleapis.com", "dialect": "gemini"},
    # the global endpoint; a regional one has a host of its own, which configuration names
    "vertex": {"url": "https://aiplatform.googleapis.com"},
    "openrouter": {"url": "https://openrouter.ai/api"},
    "deepseek": {"url": "https://api.deepseek.com"},
    "xai": {"url": "https://api.x.ai"},
    "mistral": {"url": "https://api.mistral.ai"},
    "groq": {"url": "https://api.groq.com/openai"},
    "together": {"url": "https://api.together.xyz"},
    "fireworks": {"url": "https://api.fireworks.ai/inference"},
}

PRESETS: dict[str, dict[str, str]] = {
    "vllm": {"url": "http://127.0.0.1:8000", "profile": "vllm"},
    "llamacpp": {"url": "http://127.0.0.1:8080", "profile": "llama.cpp"},
    "ollama": {"url": "http://127.0.0.1:11434", "profile": "ollama"},
    "lmstudio": {"url": "http://127.0.0.1:1234", "profile": "llama.cpp"},
    "sglang": {"url": "http://127.0.0.1:30000", "profile": "sglang"},
}
"""What holds for an upstream of this name once configuration names it, as in `ollama: {}`."""
