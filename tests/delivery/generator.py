"""Expands the ApplicationSets of gitops/root as the controller would, as far as they are used: git files, lists, matrices, fields of templates."""

import fnmatch
import json
import re


class MissingKey(Exception):
    """What `missingkey=error` says."""


def filled(value, parameters):
    """Every text in it with `{{ .a.b }}` replaced; anything else in braces is an error, so that this does not differ from Go in silence."""
    if isinstance(value, dict):
        return {key: filled(each, parameters) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, parameters) for each in value]
    if not isinstance(value, str):
        return value

    def field(match):
        found = re.fullmatch(r"\{\{ ((?:\.\w+)+) \}\}", match[0])
        assert found, f"{match[0]} is more than a field"
        node = parameters
        for key in found[1].strip(".").split("."):
            if not isinstance(node, dict) or key not in node:
                raise MissingKey(f"{found[1]} of {value!r}")
            node = node[key]
        return str(node)

    return re.sub(r"\{\{.*?\}\}", field, value)


def matches(selector, parameters):
    return all(parameters.get(key) == value for key, value in (selector or {}).get("matchLabels", {}).items())


def expanded(generator, repository, outer=None):
    """The parameters that a generator gives."""
    outer = outer or {}
    if "matrix" in generator:
        first, second = generator["matrix"]["generators"]
        return [{**one, **other} for one in expanded(first, repository) for other in expanded(second, repository, one)]
    if "list" in generator:
        found = generator["list"]["elements"]
    else:
        found = []
        for pattern in (filled(entry["path"], outer) for entry in generator["git"]["files"]):
            for path in sorted(repository.glob("gitops/**/*.json")):
                relative = str(path.relative_to(repository))
                # A star of the controller ends at a slash.
                if fnmatch.fnmatch(relative, pattern) and relative.count("/") == pattern.count("/"):
                    place = {"path": str(path.parent.relative_to(repository)), "basename": path.parent.name, "filename": path.name}
                    prefix = generator["git"].get("pathParamPrefix")
                    found.append({**json.loads(path.read_text()), **({prefix: {"path": place}} if prefix else {"path": place})})
    return [each for each in found if matches(generator.get("selector"), each)]


def applications(application_set, repository):
    spec = application_set["spec"]
    assert spec["goTemplate"] is True and spec["goTemplateOptions"] == ["missingkey=error"]
    made = []
    for generator in spec["generators"]:
        for parameters in expanded(generator, repository):
            made.append({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", **filled(spec["template"], parameters)})
    names = [each["metadata"]["name"] for each in made]
    assert len(names) == len(set(names)), f"two applications have one name: {names}"
    return made
