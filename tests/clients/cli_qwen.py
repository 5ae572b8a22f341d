"""qwen-code, over Chat Completions."""

from proxy.simulator.brains import Answer
from tests.clients.client import KEY, Client, Place, called
from tests.clients.npm import binary, version_of
from tests.clients.task import TASK, Edit, Read, Shell, Step

MODEL = "deepseek-v4-pro"


def _words(step: Step, place: Place) -> Answer:
    match step:
        case Read(name):
            return called("read_file", file_path=str(place.work / name))
        case Shell(command):
            return called("run_shell_command", command=command, is_background=False)
        case Edit(name, old, new):
            return called("edit", file_path=str(place.work / name), old_string=old, new_string=new)


CLIENTS = (
    Client(
        name="qwen-code",
        needs=binary("qwen"),
        version=version_of("@qwen-code/qwen-code"),
        model=MODEL,
        words=_words,
        command=lambda place: (str(binary("qwen")), "--yolo", "--auth-type", "openai", "-p", TASK),
        environ=lambda place: {
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": f"{place.url}/v1",
            "OPENAI_MODEL": MODEL,
            "QWEN_TELEMETRY_ENABLED": "false",
        },
    ),
)
