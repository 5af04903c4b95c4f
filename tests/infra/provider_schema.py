"""The schema of the AWS provider, read from its published bindings for TypeScript.

The provider itself is not on any package registry. Its bindings are generated from its schema and
name, for every resource, each argument and attribute with its type, whether it is a block, and
whether it is required, optional or computed. `schema(types)` turns that back into what a provider
tells Terraform (`tests/infra/provider/main.go` serves it).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

_FLAGS = re.compile(
    r"// (?P<name>\w+) - computed: (?P<computed>\w+), optional: (?P<optional>\w+), "
    r"required: (?P<required>\w+)\s+"
    r"(?:get \w+\(\) \{\s+return (?P<getter>.+?);|this\.\w+ = new (?P<kind>\w+)\()",
)
_ARGUMENT = re.compile(
    r"^ +(?P<name>\w+): \{\n +value: [^\n]+,\n +isBlock: (?P<block>\w+),\n +"
    r'type: "(?P<nesting>\w+)",\n +storageClassType: "(?P<kind>\w+)",\n +\}',
    re.MULTILINE,
)
_SIMPLE = {"string": "string", "number": "number", "boolean": "bool", "any": "string"}
# The bindings do not say which arguments the provider fills when they are left out; these it always
# does.
_FILLED = frozenset({"id", "region", "tags_all"})
_GETTERS = {
    "getStringAttribute": "string",
    "getNumberAttribute": "number",
    "getBooleanAttribute": "bool",
    "getListAttribute": ["list", "string"],
    "getNumberListAttribute": ["list", "number"],
    "getStringMapAttribute": ["map", "string"],
    "getNumberMapAttribute": ["map", "number"],
    "getBooleanMapAttribute": ["map", "bool"],
}


def schema(bindings: Path, resources: set[str], data: set[str]) -> dict[str, Any]:
    """Schemas of the provider and of the named types (`aws_s3_bucket`), as JSON."""
    return {
        "provider": _Binding(bindings / "provider/index.js").provider(),
        "resources": {name: _Binding(_file(bindings, name)).main() for name in sorted(resources)},
        "data": {
            name: _Binding(_file(bindings, name, "data-aws-")).main() for name in sorted(data)
        },
    }


def _file(bindings: Path, type_name: str, prefix: str = "") -> Path:
    folder = prefix + type_name.removeprefix("aws_").replace("_", "-")
    path = bindings / folder / "index.js"
    if not path.exists():
        raise LookupError(f"the provider has no type {type_name}")
    return path


@dataclass(frozen=True)
class _Binding:
    """The file of one resource or data source."""

    path: Path

    @cached_property
    def text(self) -> str:
        """With the files of nested types, which large resources keep apart."""
        paths = sorted(self.path.parent.glob("*.js"), key=lambda path: path != self.path)
        # The source map that ends each file is a word of half a million characters.
        return "\n".join(
            path.read_text(encoding="utf-8").partition("//# sourceMappingURL")[0] for path in paths
        )

    @cached_property
    def classes(self) -> dict[str, str]:
        parts = re.split(r"^class (\w+) extends", self.text, flags=re.MULTILINE)
        return dict(zip(parts[1::2], parts[2::2], strict=True))

    @cached_property
    def functions(self) -> dict[str, str]:
        parts = re.split(r"^function (\w+)ToHclTerraform\(", self.text, flags=re.MULTILINE)
        pairs = zip(parts[1::2], parts[2::2], strict=True)
        return {name.lower(): part.partition("\n}\n")[0] for name, part in pairs}

    @cached_property
    def interfaces(self) -> dict[str, dict[str, tuple[bool, str]]]:
        """Of each interface: argument (`maxitems`) -> whether it must be given, TypeScript type."""
        text = "\n".join(p.read_text("utf-8") for p in sorted(self.path.parent.glob("*.d.ts")))
        return {
            name: {
                argument.lower(): (not optional, kind)
                for argument, optional, kind in re.findall(r"readonly (\w+)(\??): ([^;]+);", body)
            }
            for name, body in re.findall(r"export interface (\w+)[^{]*\{(.*?)\n\}", text, re.DOTALL)
        }

    def main(self) -> dict[str, Any]:
        """The block of the resource or data source itself."""
        (body,) = (
            body
            for body in self.classes.values()
            if re.match(r" cdktf\.Terraform(Resource|DataSource) ", body)
        )
        config = next(name for name in self.interfaces if name.endswith("Config"))
        written = body[body.index("synthesizeHclAttributes()") :]
        return self._block(body, written, self.interfaces[config], _FILLED)

    def provider(self) -> dict[str, Any]:
        """The provider's own block; every argument of it is optional."""
        (body,) = (b for b in self.classes.values() if b.startswith(" cdktf.TerraformProvider "))
        config = next(name for name in self.interfaces if name.endswith("Config"))
        written = body[body.index("synthesizeHclAttributes()") :]
        return self._block("", written, self.interfaces[config])

    def _block(
        self,
        body: str,
        written: str,
        arguments: dict[str, tuple[bool, str]],
        filled: frozenset[str] = frozenset(),
    ) -> dict[str, Any]:
        attributes: dict[str, Any] = {}
        blocks: dict[str, Any] = {}
        for found in _FLAGS.finditer(body):
            flags = {key: found[key] == "true" for key in ("computed", "optional", "required")}
            attributes[found["name"]] = {"type": self._read_type(found), **flags}
        for found in _ARGUMENT.finditer(written):
            name, kind = found["name"], found["kind"]
            # A name that TypeScript or jsii reserves is written `selfAttribute` there.
            plain = name.replace("_", "")
            required, typescript = arguments.get(plain) or arguments[f"{plain}attribute"]
            if found["block"] == "true" and kind.removesuffix("List").lower() in self.functions:
                attributes.pop(name, None)
                single = "[]" not in typescript
                blocks[name] = {
                    "nesting": "single" if found["nesting"] == "struct" else found["nesting"],
                    "min": int(required and found["nesting"] != "struct"),
                    "max": int(single and found["nesting"] != "struct"),
                    "block": self._nested(kind.removesuffix("List")),
                }
                continue
            attributes[name] = {
                "type": _written_type(found["nesting"], kind),
                "computed": name in filled and not required,
                "optional": not required,
                "required": required,
            }
        return {"attributes": attributes, "blocks": blocks}

    def _nested(self, kind: str) -> dict[str, Any]:
        body = self.classes.get(f"{kind}OutputReference", "")
        return self._block(body, self.functions[kind.lower()], self.interfaces[kind])

    def _read_type(self, found: re.Match[str]) -> Any:
        """The type of an attribute that can only be read."""
        if found["kind"]:
            kind = found["kind"].removesuffix("List").removesuffix("OutputReference")
            inner = self._block(self.classes[f"{kind}OutputReference"], "", {})
            fields = {name: entry["type"] for name, entry in inner["attributes"].items()}
            return ["list", ["object", fields]]
        getter = re.search(r"this\.(\w+)\(", found["getter"])
        kind = _GETTERS.get(getter[1] if getter else "", "string")
        is_set = "tolist(" in found["getter"].lower()
        return ["set", kind[1]] if is_set and isinstance(kind, list) else kind


def _written_type(nesting: str, kind: str) -> Any:
    if nesting == "simple":
        return _SIMPLE.get(kind, "string")
    inner = re.sub(r"(List|Map)$", "", kind)
    return [nesting, _SIMPLE.get(inner, "string")]
