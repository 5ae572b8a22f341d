"""The two files of the documentation, as texts: what a user copies must load."""

SETTINGS = """\
upstreams:
  anthropic: {url: https://api.anthropic.com, dialect: anthropic_messages}
  local:     {url: http://127.0.0.1:8000, dialect: openai_chat, profile: vllm}
store: sqlite:///~/.local/state/holdfast/state.db      # memory:, sqlite:///FILE, redis://HOST:PORT/DB
archive: {max_bytes: 5GB, max_age: 7d, mirror: null}
routes:                                                  # first match wins
  - match: {model: "claude-*", agent: "subagent*"}
    policy: aggressive
  - policy: default
"""

POLICY = """\
name: default
mode: enforce            # enforce | shadow (plan and count, send the original) | off
holdout: 0.0             # share of sessions, chosen by hash, that run in shadow for comparison
stabilize: {replay: true, pin_system: true, pin_tools: true}
shape:     {lossless: true, repeats: true, max_tokens: null}
mask:      {keep_newest: 10, min_tokens: 200, keep_errors: true, exclude_tools: [], when: pays}
compact:   {trigger: 0.80, prepare: 0.70, keep_newest_turns: 4, model: same, max_summary_tokens: 4000}
breakpoints: {auto: true}
tools:     {append_only: true}
recite:    {enabled: false}
limits:    {effective: null}      # tokens; null = the profile's
per_tool:
  read_file: {mask: {keep_newest: 20}}
  bash:      {shape: {max_tokens: 8000}}
"""
