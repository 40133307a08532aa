"""A setting is declared once: shell, Python, run.json's schema and the docs agree with the declaration."""

from __future__ import annotations

import inspect
import typing
from dataclasses import fields, is_dataclass
from fractions import Fraction
from pathlib import Path

import pytest
from tests.settings_page import PAGE, make_schema, make_settings_page

from netdissect.config import ExecutionSettings, MethodSettings, Settings, SettingsDict
from netdissect.errors import SettingsError
from netdissect.model_loading import load_network
from netdissect.networks.load_options import LoadOptions
from netdissect.probe_sets.set_options import SetOptions
from netdissect.results.run_schema import load_run_schema


def test_every_option_has_a_help_text_in_a_sentence():
    for record in (Settings, LoadOptions, SetOptions):
        for field in fields(record):
            text = field.metadata["help"]
            assert text[0].isupper(), field.name
            assert text.endswith("."), field.name
            assert field.default is not None or field.metadata["none"], field.name


def test_the_typed_dictionary_has_every_setting_with_its_type():
    assert typing.get_type_hints(SettingsDict) == typing.get_type_hints(Settings)
    assert not SettingsDict.__required_keys__


def test_the_typed_dictionary_of_importers_has_every_option_with_its_type():
    from netdissect.probe_sets.importers import import_options
    from netdissect.protocols import Progress

    names = {**vars(import_options), "Progress": Progress}
    typed, options = (
        typing.get_type_hints(record, localns=names)
        for record in (import_options.ImportOptionsDict, import_options.ImportOptions)
    )
    assert set(typed) == set(options)
    assert {name for name in typed if typed[name] != options[name]} == {"rename"}  # Python also takes a mapping


def test_settings_are_method_and_execution_settings():
    method, execution = ({field.name for field in fields(part)} for part in (MethodSettings, ExecutionSettings))
    assert not method & execution
    assert list(Settings().as_dict()) == [
        field.name for part in (MethodSettings, ExecutionSettings) for field in fields(part)
    ]
    left_out = {"threshold", "score", "quantiles", "ranges", "linear", "group_by", "null_exact"}
    assert set(Settings().as_method_dict()) == method - left_out
    assert set(Settings(score="mine").as_method_dict()) == method - (left_out - {"score"})


def test_a_run_without_shifts_and_resamples_has_the_key_of_earlier_runs():
    trust = {"null", "resamples", "group_by", "within", "null_exact"}
    none = Settings(null=0, resamples=0, group_by="video", within="texture").as_method_dict()
    assert not trust & set(none)
    assert set(Settings().as_method_dict()) - set(none) == {"null", "resamples", "within"}
    assert set(Settings(null=0, group_by="video").as_method_dict()) - set(none) == {"resamples", "group_by"}
    assert Settings(null=200, null_exact=True).as_method_dict()["null_exact"] is True


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"null": 9}, "--null must be 0 or at least 10, not 9"),
        ({"resamples": 19}, "--resamples must be 0 or at least 20, not 19"),
        ({"null": 98, "null_exact": True}, "--null-exact takes --null 99 or more, not 98: fewer shifts cannot give a small p"),
        ({"null": 0, "null_exact": True}, "--null-exact takes --null 99 or more, not 0: fewer shifts cannot give a small p"),
    ],
)  # fmt: skip
def test_too_few_shifts_or_resamples_are_refused(settings, said):
    with pytest.raises(SettingsError, match=said):
        Settings(**settings)
    Settings(null=10, resamples=20)
    Settings(null=99, null_exact=True)


def test_further_quantiles_are_distinct_and_in_rising_order():
    settings = Settings(quantiles=[0.05, 0.01, 0.05])
    assert settings.quantiles == (0.01, 0.05)
    assert settings.largest_quantile == Fraction(1, 20)
    assert settings.counted_ranges == [(0, Fraction(1, 100)), (0, Fraction(1, 20))]
    assert Settings(ranges=2).counted_ranges == [(0, Fraction(1, 400)), (Fraction(1, 400), Fraction(1, 200))]
    assert Settings().counted_ranges == []
    assert Settings(quantiles=[0.01], ranges=3).as_method_dict()["ranges"] == 3
    for wrong, said in (
        ((0.01, 1000), "--quantiles must lie between 0 and 1 each"),
        (0.1, "quantiles must be several numbers"),
    ):
        with pytest.raises(SettingsError, match=said):
            Settings(quantiles=wrong)


def test_the_command_line_takes_every_setting_with_its_default_and_choices():
    from netdissect.cli.app import app

    arguments = {argument.name: argument for argument in app["run"].assemble_argument_collection()}
    for field in (*fields(Settings), *fields(LoadOptions)):
        if (field.name, field in fields(LoadOptions)) == ("seed", True):
            continue
        argument = arguments[f"--{field.name.replace('_', '-')}"]
        assert argument.parameter.help == field.metadata["help"]
        assert argument.field_info.default == field.default
        assert set(field.metadata["aliases"]) <= set(argument.names)


def test_the_settings_in_the_schema_of_run_json_are_generated():
    assert load_run_schema() == make_schema(), "python3 dev.py settings writes it again"
    assert list(make_schema()["properties"]["settings"]["properties"]) == list(Settings().as_dict())


def test_the_settings_page_is_generated():
    assert PAGE.read_text(encoding="utf-8") == make_settings_page(), "python3 dev.py settings writes it again"


def test_load_network_takes_the_options_of_the_shell():
    signature = inspect.signature(load_network).parameters.values()
    keywords = {
        parameter.name: parameter.default for parameter in signature if parameter.kind is parameter.KEYWORD_ONLY
    }
    assert keywords == {field.name: field.default for field in fields(LoadOptions)}


def test_importers_have_the_same_options_in_shell_and_python():
    from netdissect.cli.data_import import ProbeSetOptions
    from netdissect.probe_sets.importers.import_options import ImportOptions

    python = {field.name: field.default for field in fields(ImportOptions)}
    shell = {field.name: field.default for field in fields(ProbeSetOptions)}
    assert set(python) - set(shell) == {"workers", "progress", "say"}
    assert shell == {name: python[name] for name in shell}


@pytest.mark.parametrize("record", [MethodSettings, ExecutionSettings, Settings, LoadOptions])
def test_declarations_do_not_import_the_command_line(record):
    assert is_dataclass(record)
    assert not hasattr(record, "__cyclopts__")
    text = (Path(__file__).parents[2] / "src/netdissect/config.py").read_text(encoding="utf-8")
    assert "cyclopts" not in text
