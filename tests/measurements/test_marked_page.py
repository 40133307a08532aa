"""What benchmarks measure is written between the marks of a page."""

from __future__ import annotations

import pytest
from benchmarks import marked_page

PAGE = "# Title\n\n<!-- a: begin -->\n\nold\n\n<!-- a: end -->\n\nafter\n<!-- b: begin -->\n<!-- b: end -->\n"


def test_only_the_text_between_the_marks_of_the_name_changes(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    marked_page.replace_part(page, "b", marked_page.format_table(["what", "is"], [["x", "1"]]) + "\n")
    new = "<!-- b: begin -->\n\n| what | is |\n|---|---|\n| x | 1 |\n\n<!-- b: end -->\n"
    assert page.read_text() == PAGE.replace("<!-- b: begin -->\n<!-- b: end -->\n", new)
    marked_page.replace_part(page, "a", "new")
    assert page.read_text().startswith("# Title\n\n<!-- a: begin -->\n\nnew\n\n<!-- a: end -->\n\nafter\n")


def test_a_page_without_the_marks_is_an_error(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE.replace("<!-- a: end -->", ""))
    with pytest.raises(SystemExit, match="must have the marks <!-- a: begin --> and <!-- a: end -->"):
        marked_page.replace_part(page, "a", "new")
