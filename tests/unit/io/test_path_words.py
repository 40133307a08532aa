"""Home folders and patterns in paths."""

from __future__ import annotations

from netdissect.io.path_words import expand_home, expand_pattern


def test_home_folders_are_expanded_wherever_a_path_may_begin(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    words = ("~", "~/a", "conv1=~/a", "~/a.prototxt,~/b.caffemodel", "hf:~/model")
    expected = ("{0}", "{0}/a", "conv1={0}/a", "{0}/a.prototxt,{0}/b.caffemodel", "hf:{0}/model")
    assert [expand_home(word) for word in words] == [word.format(tmp_path) for word in expected]
    assert [expand_home(word) for word in ("a~b", "x/~/y", "~nobody-of-this-name/a")] == [
        "a~b",
        "x/~/y",
        "~nobody-of-this-name/a",
    ]


def test_a_pattern_stands_for_what_it_matches_in_natural_order(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("run_10", "run_2", "net[1].pt", "net1.pt"):
        (tmp_path / name).touch()
    assert expand_pattern("run_*") == ["run_2", "run_10"]
    assert expand_pattern("trained=run_*") == ["trained=run_2", "trained=run_10"]
    assert expand_pattern("net[1].pt") == ["net[1].pt"]  # it exists
    assert expand_pattern("net[12].pt") == ["net1.pt"]
    assert expand_pattern("nothing*") == ["nothing*"]
