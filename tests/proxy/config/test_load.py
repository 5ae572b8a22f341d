"""Layers, environment, secrets, routes: what `serve` receives, and every way to get it wrong."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.routes import OFF, Match, Route, policy_for
from proxy.config import ConfigErrors, Override, Request, Secret, Settings, Url, default_file, load_settings
from proxy.config.settings import File
from proxy.config.upstreams import BUILT_IN, PRESETS
from tests.proxy.config.documents import SETTINGS

TOKEN = "0123456789abcdef"


def write(folder: Path, text: str, name: str = "holdfast.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def load(
    text: str = "",
    environ: Mapping[str, str] | None = None,
    *,
    folder: Path | None = None,
    flags: tuple[Override, ...] = (),
    policy: str = "",
) -> Settings:
    file = write(folder, text) if folder else None
    return load_settings(Request(file, {"HOME": "/home/me", **(environ or {})}, flags, policy))


def errors(text: str = "", environ: Mapping[str, str] | None = None, folder: Path | None = None) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        load(text, environ, folder=folder)
    prefix = f"{folder}/" if folder else "\0"
    return str(caught.value).replace(prefix, "").splitlines()


def url(settings: Settings, name: str) -> str:
    return next(upstream.url for upstream in settings.upstreams if upstream.name == name)


def test_without_any_file_the_defaults_hold() -> None:
    settings = load()
    assert (settings.host, settings.port, settings.admin_host, settings.admin_port) == (
        "127.0.0.1",
        8787,
        "127.0.0.1",
        8788,
    )
    assert settings.store == "sqlite:////home/me/.local/state/holdfast/state.db"
    assert settings.routes.entries == ()
    assert [upstream.name for upstream in settings.upstreams] == list(BUILT_IN)
    assert settings.sources == ()


def test_the_documented_file_loads(tmp_path: Path) -> None:
    settings = load(SETTINGS, folder=tmp_path)
    local = next(upstream for upstream in settings.upstreams if upstream.name == "local")
    assert (local.url, local.dialect, local.profile) == ("http://127.0.0.1:8000", "openai_chat", "vllm")
    assert (settings.archive.max_bytes, settings.archive.max_age) == (5_000_000_000, 7 * 86400.0)
    assert settings.routes.entries == (
        Route("aggressive", Match(model="claude-*", agent="subagent*")),
        Route("default"),
    )
    assert settings.sources == (str(tmp_path / "holdfast.yaml"),)


def test_a_provider_of_several_dialects_has_none_of_its_own() -> None:
    dialects = {upstream.name: upstream.dialect for upstream in load().upstreams}
    assert (dialects.pop("anthropic"), dialects.pop("gemini")) == ("anthropic_messages", "gemini")
    assert set(dialects.values()) == {None}


def test_an_engine_on_this_machine_is_reached_only_once_it_is_configured(tmp_path: Path) -> None:
    assert not {upstream.name for upstream in load().upstreams} & set(PRESETS)
    assert not [upstream.name for upstream in load().upstreams if "127.0.0.1" in upstream.url]
    text = "upstreams:\n  ollama: {}\n  vllm: {url: 'http://gpu.internal:8000', profile: vllm-cpu}\n"
    known = {upstream.name: upstream for upstream in load(text, folder=tmp_path).upstreams}
    assert (known["ollama"].url, known["ollama"].profile) == ("http://127.0.0.1:11434", "ollama")
    assert (known["vllm"].url, known["vllm"].profile) == ("http://gpu.internal:8000", "vllm-cpu")
    assert "llamacpp" not in known and next(iter(known)) == "anthropic"
    flag = Override(("upstreams", "llamacpp", "url"), "http://127.0.0.1:8100", "--upstream")
    assert load(flags=(flag,)).upstreams[-1].profile == "llama.cpp"


def test_a_preset_does_not_hide_a_mistake(tmp_path: Path) -> None:
    (error,) = errors("upstreams:\n  ollama: http://gpu.internal:1\n", folder=tmp_path)
    assert "ollama" in error


def test_tenants_are_told_apart_by_credential_unless_configured_otherwise(tmp_path: Path) -> None:
    assert {upstream.tenant for upstream in load().upstreams} == {"credential"}
    shared = load("upstreams:\n  vertex: {tenant: upstream}\n", folder=tmp_path).upstreams
    assert [upstream.name for upstream in shared if upstream.tenant == "upstream"] == ["vertex"]


def test_a_known_upstream_keeps_its_dialect_when_its_url_is_replaced() -> None:
    flag = Override(("upstreams", "anthropic", "url"), "http://127.0.0.1:1/", "--upstream")
    settings = load(flags=(flag,))
    anthropic = settings.upstreams[0]
    assert (anthropic.name, anthropic.url, anthropic.dialect) == (
        "anthropic",
        "http://127.0.0.1:1",
        "anthropic_messages",
    )


def test_an_unknown_upstream_is_judged_by_the_path() -> None:
    settings = load(flags=(Override(("upstreams", "mine", "url"), "https://h/base", "--upstream"),))
    assert (settings.upstreams[-1].name, settings.upstreams[-1].dialect) == ("mine", None)


def test_flags_win_over_variables_and_variables_over_the_file(tmp_path: Path) -> None:
    text = "host: 10.0.0.1\nport: 1\nadmin_port: 1\n"
    flags = (Override(("port",), "3", "--port"),)
    settings = load(text, {"HOLDFAST_PORT": "2", "HOLDFAST_ADMIN_PORT": "2"}, folder=tmp_path, flags=flags)
    assert (settings.host, settings.admin_port, settings.port) == ("10.0.0.1", 2, 3)


def _variables(kind: type, prefix: str = "HOLDFAST_") -> list[tuple[str, object]]:
    """Every scalar setting of the file as a variable, with its default as text."""
    found: list[tuple[str, object]] = []
    for field in msgspec.structs.fields(kind):
        name = prefix + field.name.upper()
        if isinstance(field.default, msgspec.Struct):
            found += _variables(type(field.default), f"{name}__")
        elif isinstance(field.default, str | int | float) and field.name != "policies":
            found.append((name, field.default))
    return found


@pytest.mark.parametrize(("name", "default"), _variables(File))
def test_every_setting_has_a_variable(name: str, default: object) -> None:
    assert load(environ={name: str(default)}) == load()


@pytest.mark.parametrize(
    ("name", "text", "key", "expected"),
    [
        ("HOLDFAST_ARCHIVE__MAX_AGE", "90s", "archive.max_age", 90.0),
        ("HOLDFAST_ARCHIVE", "{max_bytes: 1MB, max_age: 2h}", "archive.max_bytes", 1_000_000),
        ("HOLDFAST_LIMITS__BODY_BYTES", "1MiB", "limits.body_bytes", 1024**2),
        ("HOLDFAST_ALLOWED_HOSTS", "[a.example, b.example]", "allowed_hosts", ("a.example", "b.example")),
        ("HOLDFAST_HOST", "10", "host", "10"),
        ("HOLDFAST_ARCHIVE__MIRROR", "null", "archive.mirror", None),
        ("HOLDFAST_DRAIN", "2m", "drain", 120.0),
        ("HOLDFAST_STORE", "memory:", "store", "memory:"),
        ("HOLDFAST_WORKERS", "4", "workers", 4),
    ],
)
def test_a_variable_reaches_its_setting(name: str, text: str, key: str, expected: object) -> None:
    value: object = load(environ={name: text})
    for part in key.split("."):
        value = getattr(value, part)
    assert value == expected


def test_a_variable_adds_an_upstream() -> None:
    environ = {
        "HOLDFAST_UPSTREAMS__LOCAL__URL": "http://127.0.0.1:8000",
        "HOLDFAST_UPSTREAMS__LOCAL__DIALECT": "openai_chat",
    }
    assert load(environ=environ).upstreams[-1].dialect == "openai_chat"


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"HOLDFAST_STOER": "x"}, "environment: unknown variable `HOLDFAST_STOER`; did you mean `HOLDFAST_STORE`?"),
        ({"HOLDFAST_PORT": "x"}, "HOLDFAST_PORT: `port` is `x`; allowed: a whole number from 0 to 65535"),
        (
            {"HOLDFAST_ARCHIVE__AGE": "1d"},
            "HOLDFAST_ARCHIVE__AGE: unknown key `age` in `archive`; did you mean `max_age`?",
        ),
        (
            {"HOLDFAST_ARCHIVE__MAX_AGE": "7 days"},
            "HOLDFAST_ARCHIVE__MAX_AGE: `archive.max_age` is `7 days`; "
            "allowed: a duration such as `90s`, `15m`, `1h30m` or `7d`",
        ),
        (
            {"HOLDFAST_ARCHIVE__MAX_BYTES": "0"},
            "HOLDFAST_ARCHIVE__MAX_BYTES: `archive.max_bytes` is `0`; "
            "allowed: a size such as `512MB`, `5GB` or `1GiB`, more than nothing",
        ),
        (
            {"HOLDFAST_ARCHIVE__MAX_BYTES": "{}"},
            "HOLDFAST_ARCHIVE__MAX_BYTES: `archive.max_bytes` is a mapping; "
            "allowed: a size such as `512MB`, `5GB` or `1GiB`",
        ),
        ({"HOLDFAST_POLICY": "defualt"}, "HOLDFAST_POLICY: unknown policy `defualt`; did you mean `default`?"),
        (
            {"HOLDFAST_STORE": "postgres://u:secret@h/db"},
            "HOLDFAST_STORE: `store` is `postgres://***@h/db`; "
            "allowed: memory:, sqlite:///FILE or redis://HOST:PORT/DB",
        ),
        (
            {"HOLDFAST_ADMIN_HOST": "0.0.0.0"},
            "HOLDFAST_ADMIN_HOST: `admin_host` is not loopback and has no token; "
            "set HOLDFAST_ADMIN_TOKEN or `admin_token_file`",
        ),
        (
            {"HOLDFAST_ADMIN_TOKEN": "short"},
            "`admin_token` is shorter than 16 characters; `openssl rand -hex 32` makes one",
        ),
        (
            {"HOME": ""},
            "built in:0: `~` means nothing where HOME is not set; write the whole path",
        ),
    ],
)
def test_a_wrong_variable_is_named(environ: dict[str, str], message: str) -> None:
    assert errors(environ=environ) == [message.replace("built in:0: ", "built in: ")]


@pytest.mark.parametrize(
    "variables",
    [
        {
            "HOLDFAST_PORT": "tcp://10.0.0.1:8787",
            "HOLDFAST_PORT_8787_TCP_ADDR": "10.0.0.1",
            "HOLDFAST_PORT_8787_TCP": "x",
        },
        {"HOLDFAST_SERVICE_HOST": "10.0.0.1", "HOLDFAST_SERVICE_PORT": "8787", "HOLDFAST_SERVICE_PORT_HTTP": "8787"},
        {"PATH": "/bin", "HOLDFASTER": "x"},
    ],
)
def test_what_kubernetes_sets_for_a_service_called_holdfast_is_no_setting(variables: dict[str, str]) -> None:
    assert load(environ=variables) == load()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stroe: x\n", "holdfast.yaml:1: unknown key `stroe`; did you mean `store`?"),
        (
            "store: redis://:hunter2@h:6379/0\n",
            "holdfast.yaml:1: `store` holds a password; set HOLDFAST_STORE or `store_file` in its place",
        ),
        (
            "admin_token: 0123456789abcdef\n",
            "holdfast.yaml:1: unknown key `admin_token`; did you mean `admin_token_file`?",
        ),
        ("upstreams:\n  x: {dialect: gemini}\n", "holdfast.yaml:2: missing key `upstreams.x.url`"),
        (
            "upstreams:\n  openai: {url: https://me:hunter2@h}\n",
            "holdfast.yaml:2: `upstreams.openai.url` is `https://***@h`; "
            "it cannot hold a credential: agents send their own",
        ),
        (
            "upstreams:\n  x: {url: ftp://h}\n",
            "holdfast.yaml:2: `upstreams.x.url` is `ftp://h`; "
            "allowed: http://HOST or https://HOST, with a port and a path where needed",
        ),
        ("upstreams:\n  x: {url: 'http://[h'}\n", "holdfast.yaml:2: `upstreams.x.url` is `http://[h`; it is not a URL"),
        (
            "upstreams:\n  x: {url: 'http://h?a=b'}\n",
            "holdfast.yaml:2: `upstreams.x.url` is `http://h?a=b`; "
            "a query, a fragment, a space or a backslash cannot be part of it",
        ),
        (
            "upstreams:\n  x: {url: http://h, dialect: openai}\n",
            "holdfast.yaml:2: `upstreams.x.dialect` is `openai`; did you mean `openai_chat`?",
        ),
        (
            "upstreams:\n  x: {url: http://h, profile: vlm}\n",
            "holdfast.yaml:2: unknown profile `vlm`; did you mean `vllm`?",
        ),
        (
            "upstreams:\n  v1: {url: http://h}\n",
            "holdfast.yaml:2: `v1` cannot name an upstream; allowed: lower-case letters, digits, `_`, `.` and `-`, "
            "but none of v1, v1beta, v1beta1, model, healthz, readyz",
        ),
        ("routes:\n  - policy: agressive\n", "holdfast.yaml:2: unknown policy `agressive`; did you mean `aggressive`?"),
        (
            "routes:\n  - match: {modle: x}\n    policy: default\n",
            "holdfast.yaml:2: unknown key `modle` in `routes[0].match`; did you mean `model`?",
        ),
        ("routes:\n  - match: {model: x}\n", "holdfast.yaml:2: missing key `routes[0].policy`"),
        (
            "routes:\n  - policy: default\n  - match: {model: x}\n    policy: observe\n",
            "holdfast.yaml:2: this route matches everything; put it last: those after it are never used",
        ),
        ("routes:\n  - policy: nowhere.yaml\n", "nowhere.yaml: cannot be read: no such file or directory"),
        (
            "policies:\n  mine: {mask: {keep: 1}}\n",
            "holdfast.yaml:2: unknown key `keep` in `policies.mine.mask`; did you mean `keep_newest`?",
        ),
        ("policies:\n  mine: 3\n", "holdfast.yaml:2: `policies.mine` is `3`; allowed: a mapping of settings"),
        (
            "policies:\n  mine:\n    name: other\n",
            "holdfast.yaml:2: `policies.mine` has another name, `other`; leave out `name`: it is `mine`",
        ),
        (
            "policies:\n  off: {}\n",
            "holdfast.yaml:2: a policy cannot be named `off`; choose another: `off` always means relay and measure",
        ),
        ("limits: {headers: 0}\n", "holdfast.yaml:1: `limits.headers` is `0`; allowed: a whole number, 1 or more"),
        ("admin_token_file: token\n", "token: cannot be read: no such file or directory"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    assert errors(text, folder=tmp_path) == [message]


def test_all_errors_of_a_file_are_reported(tmp_path: Path) -> None:
    text = "port: x\nstroe: memory\narchive: {max_age: 1y}\n"
    assert [message.split(":")[1] for message in errors(text, folder=tmp_path)] == ["1", "2", "3"]


def test_secrets_come_from_a_variable_or_a_file_and_show_nowhere(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    settings = load(
        "admin_token_file: token\nadmin_host: 0.0.0.0\n", {"HOLDFAST_TENANT_KEY": "k" * 32}, folder=tmp_path
    )
    assert settings.admin_token == Secret(TOKEN) and settings.tenant_key is not None
    assert settings.admin_token.reveal() == TOKEN and settings.tenant_key.reveal() == "k" * 32
    assert TOKEN not in repr(settings) and "kkk" not in repr(settings)
    assert len({settings.admin_token, Secret(TOKEN)}) == 1


def test_a_file_with_a_secret_may_be_named_by_a_variable(tmp_path: Path) -> None:
    environ = {
        "HOLDFAST_ADMIN_TOKEN_FILE": str(write(tmp_path, TOKEN, "t")),
        "HOLDFAST_STORE_FILE": str(write(tmp_path, "redis://:hunter2@h/0", "s")),
    }
    settings = load(environ=environ)
    assert settings.admin_token == Secret(TOKEN)
    assert settings.store == "redis://:hunter2@h/0"
    assert repr(settings.store) == "'redis://***@h/0'" and "hunter2" not in repr(settings)


def test_a_store_with_a_password_is_taken_from_a_variable() -> None:
    store = load(environ={"HOLDFAST_STORE": "redis://:hunter2@h/0"}).store
    assert store == Url("redis://:hunter2@h/0") and "hunter2" not in repr(store)


def test_what_is_kept_for_a_reload_shows_no_secret() -> None:
    flag = Override(("store",), "redis://:hunter2@h/0", "--store")
    assert "hunter2" not in repr(Request(environ={"HOLDFAST_ADMIN_TOKEN": "hunter2"}, flags=(flag,)))


def test_an_empty_file_is_no_secret(tmp_path: Path) -> None:
    write(tmp_path, "\n", "t")
    assert errors(environ={"HOLDFAST_ADMIN_TOKEN_FILE": str(tmp_path / "t")}) == [f"{tmp_path}/t: is empty"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_no_token(host: str) -> None:
    assert load(environ={"HOLDFAST_ADMIN_HOST": host}).admin_token is None


def test_paths_of_a_file_start_at_the_file_and_those_of_variables_do_not(tmp_path: Path) -> None:
    text = "record: recordings\nstore: sqlite:///state.db\narchive: {mirror: ~/mirror}\n"
    settings = load(text, folder=tmp_path)
    assert settings.record == str(tmp_path / "recordings")
    assert settings.store == f"sqlite:///{tmp_path}/state.db"
    assert settings.archive.mirror == "/home/me/mirror"
    settings = load(text, {"HOLDFAST_RECORD": "here", "HOLDFAST_STORE": "sqlite:///x.db"}, folder=tmp_path)
    assert (settings.record, settings.store) == ("here", "sqlite:///x.db")


def test_a_policy_in_place_takes_its_name_from_its_key(tmp_path: Path) -> None:
    settings = load("policies:\n  mine: {mask: {keep_newest: 3}}\nroutes:\n  - policy: mine\n", folder=tmp_path)
    policy = policy_for(settings.routes, upstream="x", path="/", model="m", agent="a")
    assert (policy.name, policy.mask.keep_newest) == ("mine", 3)


def test_a_policy_in_place_says_what_has_no_effect(tmp_path: Path) -> None:
    settings = load("policies:\n  mine:\n    compact: {trigger: 0.9}\n", folder=tmp_path)
    assert settings.notes == (f"{tmp_path}/holdfast.yaml:3: `policies.mine.compact` is not in effect in this version",)


def test_a_policy_file_of_a_route_is_relative_to_the_configuration_and_watched(tmp_path: Path) -> None:
    write(tmp_path, "name: mine\nmask: {min_tokens: 7}\ncompact: {}\n", "mine.yaml")
    settings = load("routes:\n  - policy: mine.yaml\n", folder=tmp_path)
    assert settings.routes.entries == (Route("mine"),)
    assert settings.routes.policies["mine"].mask.min_tokens == 7
    assert settings.sources == (str(tmp_path / "holdfast.yaml"), str(tmp_path / "mine.yaml"))
    assert settings.notes == ("mine.yaml:3: `compact` is not in effect in this version",)


def test_a_preset_may_be_replaced_but_no_other_name_may_stand_twice(tmp_path: Path) -> None:
    write(tmp_path, "name: mine\n", "a.yaml")
    write(tmp_path, "name: mine\n", "b.yaml")
    two = "routes:\n  - {match: {model: x}, policy: a.yaml}\n  - policy: b.yaml\n"
    assert errors(two, folder=tmp_path) == ["holdfast.yaml:3: `b.yaml` is a second policy named `mine`"]
    settings = load("policies:\n  default: {mask: {keep_newest: 1}}\n", folder=tmp_path)
    assert settings.routes.policies["default"].mask.keep_newest == 1


def test_policy_flag_is_for_everything_in_place_of_the_routes(tmp_path: Path) -> None:
    settings = load(SETTINGS, folder=tmp_path, policy="observe")
    assert settings.routes.entries == (Route("observe"),)
    assert load(SETTINGS, {"HOLDFAST_POLICY": "observe"}, folder=tmp_path).routes == settings.routes


def test_policy_flag_may_name_a_file(tmp_path: Path) -> None:
    path = write(tmp_path, "name: it's\n".replace("'", "-"), "p.yaml")
    assert load(policy=str(path)).routes.entries == (Route("it-s"),)


def test_a_route_may_turn_everything_off(tmp_path: Path) -> None:
    settings = load("routes:\n  - policy: off\n", folder=tmp_path)
    assert policy_for(settings.routes, upstream="x", path="/", model="m", agent="a") == OFF


def test_the_default_file_is_never_one_of_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "port: 1\n")
    assert default_file({}) is None
    assert default_file({"HOME": str(tmp_path)}) is None
    (tmp_path / ".config" / "holdfast").mkdir(parents=True)
    path = write(tmp_path / ".config" / "holdfast", "port: 1\n")
    assert default_file({"HOME": str(tmp_path)}) == path
    assert default_file({"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "none")}) is None
    assert default_file({"HOME": str(tmp_path), "HOLDFAST_CONFIG": "mine.yaml"}) == Path("mine.yaml")


def test_timeouts_of_an_upstream_are_its_own_or_those_of_the_top(tmp_path: Path) -> None:
    text = "timeouts: {connect: 1s}\nupstreams:\n  x: {url: http://h, timeouts: {idle: 2m}}\n"
    upstreams = {upstream.name: upstream.timeouts for upstream in load(text, folder=tmp_path).upstreams}
    assert (upstreams["openai"].connect, upstreams["openai"].idle) == (1.0, 300.0)
    assert (upstreams["x"].connect, upstreams["x"].idle) == (10.0, 120.0)


@given(
    st.sampled_from(sorted(name for name, _ in _variables(File))), st.text(max_size=40).filter(lambda t: "\0" not in t)
)
def test_no_variable_raises_anything_but_a_configuration_error(name: str, text: str) -> None:
    try:
        load(environ={name: text})
    except ConfigErrors as error:
        assert error.errors
