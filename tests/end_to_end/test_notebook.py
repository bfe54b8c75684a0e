"""The notebook as it is kept: short, with its outputs, and without traces of a machine.

That it runs is tested by `pytest --nbmake notebooks`.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
MOST_CELLS, MOST_BYTES = 15, 1_500_000
PLACES = re.compile(r"/(home|root|work|tmp|Users|private)/|[A-Z]:\\\\|site-packages")


@pytest.fixture(params=sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
def text(request: pytest.FixtureRequest) -> str:
    return request.param.read_text(encoding="utf-8")


def outputs(text: str) -> list[dict[str, Any]]:
    cells = json.loads(text)["cells"]
    return [out for cell in cells for out in cell.get("outputs", [])]


def test_there_is_a_notebook() -> None:
    assert (NOTEBOOKS / "01_customer_equity.ipynb").exists()


def test_short_and_small(text: str) -> None:
    assert len(json.loads(text)["cells"]) < MOST_CELLS
    assert len(text) < MOST_BYTES


def test_outputs_are_kept_in_order_and_without_errors(text: str) -> None:
    code = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert all(cell["outputs"] for cell in code)
    kinds = {out["output_type"] for out in outputs(text)}
    assert kinds <= {"display_data", "execute_result", "stream"}
    assert not [out for out in outputs(text) if out.get("name") == "stderr"]


def test_charts_are_seen_without_a_network_or_a_script(text: str) -> None:
    drawn = [out["data"] for out in outputs(text) if "image/svg+xml" in out.get("data", {})]
    assert len(drawn) >= 6
    for data in drawn:
        svg = "".join(data["image/svg+xml"])
        assert svg.startswith("<svg") and "<script" not in svg
        assert set(re.findall(r"https?://[^\"' ]+", svg)) <= {
            "http://www.w3.org/2000/svg",
            "http://www.w3.org/1999/xlink",
        }


def test_no_trace_of_a_machine(text: str) -> None:
    metadata = json.loads(text)["metadata"]
    assert metadata["kernelspec"]["name"] == "python3"
    assert set(metadata) == {"kernelspec", "language_info"}
    assert not PLACES.search(text)
