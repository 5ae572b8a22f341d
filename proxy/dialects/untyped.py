"""Observations without a type: user messages in which agents without native tools report tool output.

Rules of this room: a short table of shapes, each with the agent that writes it, anchored at the
first character. A person's own words must never match, for what matches may be masked.
"""

import re

_SHAPES = re.compile(
    r"""(?:
        <returncode>-?\d+</returncode>\s*<(?:output|warning|output_head)>  # mini-swe-agent
      | Please[ ]always[ ]provide[ ]EXACTLY[ ]ONE[ ]action[ ]in             # mini-swe-agent, about format
      | The[ ]last[ ]command[ ]<command>[\s\S]{0,4000}?</command>[ ]timed[ ]out # mini-swe-agent
      | OBSERVATION:\r?\n                                                  # SWE-agent, text mode
      | EXECUTION[ ]RESULT[ ]of[ ]\[                                        # OpenHands without native tools
      | Observation:\r?\n                                                  # smolagents
      # Cline and Roo
      | \[(?:execute_command|read_file|write_to_file|replace_in_file|search_files|list_files)[^\]\n]{0,300}\][ ]Result:
    )""",
    re.VERBOSE,
)


def is_observation(text: str) -> bool:
    """Whether the text of a user message is tool output."""
    return _SHAPES.match(text) is not None
