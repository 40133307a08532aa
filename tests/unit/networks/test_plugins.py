"""Kinds of models that other packages add, registered in Python or declared as entry points."""

from __future__ import annotations

import sys

import pytest
from tests import nets

import netdissect as nd
from netdissect.errors import ModelError, ModelNotFoundError, SettingsError
from netdissect.networks import plugins
from netdissect.networks.plugins import list_model_kinds


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setattr(plugins, "_registered", {})


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that installs a distribution of one module with its entry points."""

    def installed(name, source, *declared):
        site = tmp_path / name
        info = site / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (site / f"{name}_nets.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("\n".join(["[netdissect.models]", *declared]))
        monkeypatch.syspath_prepend(site)

    yield installed
    for name in [name for name in sys.modules if name.endswith("_nets")]:
        del sys.modules[name]


LOADER = "from tests import nets\ndef load(name, options):\n    return nets.make_small_net(seed=int(name))\n"


def test_a_registered_kind_is_loaded_listed_and_dissected(tmp_path):
    from tests import small_probe_set

    nd.register_model_kind(
        "mylib:NAME", "a network of mylib", lambda name, options: nets.make_small_net(seed=int(name))
    )
    network = nd.load_network("mylib:4", channels="bgr")
    assert (network.name, network.source, network.preprocess.channels) == ("4", "mylib:4", "bgr")
    assert list_model_kinds()[-1] == ("mylib:NAME", "a network of mylib")
    data = small_probe_set.write_probe_set(tmp_path / "set", images=4)
    assert nd.dissect("mylib:4", "conv2", data, quantile=0.1).network.source == "mylib:4"


def test_the_loader_gets_the_options_of_the_model():
    nd.register_model_kind(
        "mylib:NAME", "a network of mylib", lambda name, options: nets.make_small_net(seed=options.seed)
    )
    assert nd.load_network("mylib:x", seed=3).fingerprint() != nd.load_network("mylib:x", seed=4).fingerprint()
    with pytest.raises(SettingsError, match="--arch does not go with mylib:NAME, a network of mylib"):
        nd.load_network("mylib:x", arch="timm:resnet18")


def test_an_installed_package_adds_a_kind_by_an_entry_point(install):
    install("mylib", LOADER, "mylib = mylib_nets:load")
    assert list_model_kinds()[-1] == ("mylib:NAME", "a network of the package mylib")
    assert "mylib_nets" not in sys.modules
    assert nd.load_network("mylib:4").source == "mylib:4"
    assert "mylib_nets" in sys.modules
    with pytest.raises(ModelNotFoundError, match="did you mean mylib"):
        nd.load_network("mylb:4")


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("import no_such_library", "the package mylib cannot be imported .ModuleNotFoundError: .*no_such_library"),
        ("import sys; sys.exit(3)", "the package mylib cannot be imported .it called sys.exit.3"),
        ("", "the package mylib cannot be imported .AttributeError"),
        ("load = 3", "the package mylib failed to load it .TypeError"),
        ("def load(name, options):\n    raise KeyError(name)", "the package mylib failed to load it .KeyError: '4'"),
        ("def load(name, options):\n    return 'no network'", "mylib:4 returned str: expected a torch.nn.Module"),
    ],
)
def test_a_broken_package_is_one_sentence_that_names_it(install, source, sentence):
    install("mylib", source, "mylib = mylib_nets:load")
    with pytest.raises(ModelError, match=sentence):
        nd.load_network("mylib:4")


@pytest.mark.parametrize("name", ["nets/small.pth", "small.onnx", "a,b", "x:y"])
def test_a_name_may_look_like_a_file(name):
    nd.register_model_kind("mylib:NAME", "a network of mylib", lambda name, options: nets.make_small_net())
    network = nd.load_network(f"mylib:{name}")
    assert network.source == f"mylib:{name}"
    assert not set(network.name) & set("/:")


def test_a_broken_package_breaks_nothing_else(install):
    from netdissect.cli.app import app

    install("broken", "import no_such_library", "mylib = broken_nets:load", "= nothing", "no equals sign")
    nd.register_model_kind("other:NAME", "a network of another library", lambda name, options: nets.make_small_net())
    assert nd.load_network("other:x").source == "other:x"
    with pytest.raises(ModelNotFoundError, match="there is no model 'nothing'"):
        nd.load_network("nothing")
    app(["run", "--help"], result_action="return_value")


def test_two_packages_with_one_prefix_are_refused_by_their_names(install):
    install("mylib", LOADER, "mylib = mylib_nets:load")
    install("thief", LOADER, "mylib = thief_nets:load")
    with pytest.raises(ModelError, match="mylib: is claimed by the packages mylib and thief: uninstall one of them"):
        nd.load_network("mylib:4")


def test_a_prefix_that_is_built_in_cannot_be_taken(install):
    install("thief", "import no_such_library", "python = thief_nets:load")
    assert len([typed for typed, _ in list_model_kinds() if typed.startswith("python:")]) == 1
    with pytest.raises(SettingsError, match="the prefix timm: is taken"):
        nd.register_model_kind("timm:NAME", "not timm", lambda name, options: nets.make_small_net())


def test_a_prefix_is_registered_once(install):
    nd.register_model_kind("mylib:NAME", "a network of mylib", lambda name, options: nets.make_small_net())
    with pytest.raises(SettingsError, match="the prefix mylib: is taken"):
        nd.register_model_kind("mylib:PATH", "another", lambda name, options: nets.make_small_net())
    install("theirs", LOADER, "theirs = theirs_nets:load")
    with pytest.raises(SettingsError, match="the prefix theirs: is taken"):
        nd.register_model_kind("theirs:NAME", "another", lambda name, options: nets.make_small_net())


@pytest.mark.parametrize("spelling", ["mylib", "", ":NAME", "My Lib:NAME", "c:NAME", "FILE.mylib"])
def test_a_spelling_without_a_prefix_is_refused(spelling):
    with pytest.raises(SettingsError, match="expected a spelling such as mylib:NAME"):
        nd.register_model_kind(spelling, "a network of mylib", lambda name, options: nets.make_small_net())


def test_a_loader_that_is_no_function_is_refused():
    with pytest.raises(SettingsError, match="the loader of mylib:NAME must be a function, not str"):
        nd.register_model_kind("mylib:NAME", "a network of mylib", "mylib.load")
