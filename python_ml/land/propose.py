"""What unknown files are probably taken for: a mapping to edit, with evidence and open questions.

Names decide first (ours, their aliases, words that the trade uses, likeness), values second: a
column whose values are of another kind is not proposed. What is not certain becomes a question in
the mapping that is written.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import yaml

from python_ml.contracts.needs import consequence
from python_ml.contracts.schema import ColumnSchema, TableSchema
from python_ml.land.discover import stands_for
from python_ml.land.explore import ColumnFacts, FileFacts, pattern_of
from python_ml.land.mapping import KEYS

CERTAIN, LIKELY = 0.9, 0.6  # below LIKELY nothing is proposed
READINGS = "consumption_hourly"
# Words of the trade for our columns: what the name of a column is compared with, besides its own.
_WORDS: dict[str, tuple[str, ...]] = {
    "customer_id": ("id", "cliente", "id_cliente", "codigo_cliente", "cups", "account", "client"),
    "churn": ("churn", "baja", "abandono", "churned", "left"),
    "contracted_power_kw": ("pow_max", "potencia", "potencia_contratada", "potencia_kw", "power"),
    "is_industrial": ("empresa", "tipo_cliente", "industrial"),
    "is_second_residence": ("segunda_residencia", "segunda"),
    "province_code": ("provincia", "cod_provincia", "codigo_provincia"),
    "region": ("comunidad", "comunidad_autonoma", "ccaa"),
    "is_urban": ("urbano", "urban"),
    "sales_channel": ("canal", "channel_sales", "canal_venta", "channel"),
    "customer_first_activation_date": ("date_activ", "fecha_alta", "alta", "date_first_activ"),
    "contract_start_date": ("fecha_inicio", "inicio_contrato", "start_date"),
    "last_product_change_date": ("date_modif_prod", "fecha_modificacion", "ultimo_cambio"),
    "next_renewal_date": ("date_end", "fecha_fin", "vencimiento", "fecha_renovacion"),
    "pricing_date": ("price_date", "fecha_precio", "desde", "fecha"),
    "variable_price_tier1_eur_kwh": ("price_peak_var", "precio_punta", "punta", "precio_p1", "p1"),
    "variable_price_tier2_eur_kwh": (
        "price_mid_peak_var",
        "precio_llano",
        "llano",
        "precio_p2",
        "p2",
    ),
    "variable_price_tier3_eur_kwh": (
        "price_off_peak_var",
        "precio_valle",
        "valle",
        "precio_p3",
        "p3",
    ),
    "elec_fixed_fee_eur_month": ("cuota_fija", "termino_fijo", "fijo"),
    "elec_var_cost_eur_kwh": ("coste_energia", "coste"),
    "peaje_elec_eur_kwh": ("peaje", "toll"),
    "month": ("mes",),
    "province": ("provincia", "cod_provincia"),
    "timestamp": ("fecha_hora", "fechahora", "datetime", "ts", "fecha"),
    "consumption_elec_kwh": ("consumo", "consumo_kwh", "ae_kwh", "energia", "kwh", "cons_12m"),
    "consumption_gas_m3": ("gas", "gas_m3", "consumo_gas", "cons_gas_12m"),
    "date": ("fecha", "fecha_contacto", "interaction_date"),
    "channel": ("canal", "medio"),
    "interaction_summary": ("resumen", "texto", "nota", "comentario", "observaciones", "summary"),
}
_KINDS = {
    "double": ("number",),
    "integer": ("number", "yes or no"),
    "boolean": ("yes or no", "text"),
    "date": ("date",),
    "timestamp": ("date",),
}
_YEARLY = re.compile(r"(^|_)(12m|anual|annual|year(ly)?)($|_)", re.I)
_HOUR = re.compile(r"(.*?)([0-9]{1,2})([^0-9]*)")  # a column of an hour: H01, hour_1, 1h
# What columns of readings beside ours are called, as plain words.
_HOURS = ("hora", "hour", "horas", "hours")
_BEGINS = re.compile(r"inicio|desde|start|begin|(^|_)from$")
_ENDS = re.compile(r"fin(al)?$|hasta|end$|until|(^|_)to$")
_EXPORTED = re.compile(r"generacion|generation|export|vertid|excedent|surplus")
_PERIOD = re.compile(r"(.*)p([1-6])(.*)")  # energy of a tariff period: P1, consumoWhP1
_DAY = 10  # characters of a date without a time
_UNITS = (("mwh", "MWh"), ("kwh", "kWh"), ("wh", "Wh"))


@dataclass(frozen=True)
class ColumnProposal:
    """What a column of ours is taken from."""

    ours: str
    theirs: str
    confidence: float
    evidence: list[str]
    question: str | None = None
    unit: str | None = None
    sum: tuple[str, ...] = ()  # columns that are added up, instead of one


@dataclass
class SourceProposal:
    """What a table of ours is taken from; no file where there is none."""

    name: str
    file: FileFacts | None = None
    columns: list[ColumnProposal] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    readings: dict[str, Any] = field(default_factory=dict)
    is_named: bool = False  # the file has the name of the table

    @property
    def is_standard(self) -> bool:
        """Whether the file lands under its own name and columns, without a mapping."""
        return self.is_named and not self.absent and not self.readings and all(
            it.ours == it.theirs.lower() for it in self.columns
        )  # fmt: skip


@dataclass(frozen=True)
class Proposal:
    """A whole folder."""

    files: list[FileFacts]
    sources: list[SourceProposal]
    pattern: str | None
    consequence: str  # what falls away, by name

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON-able values."""
        taken = [
            {
                "name": it.name,
                "file": it.file.label if it.file else None,
                "columns": [asdict(column) for column in it.columns],
                "absent": it.absent,
                "questions": it.questions,
                "readings": it.readings,
            }
            for it in self.sources
        ]
        return {
            "files": [it.as_dict() for it in self.files],
            "sources": taken,
            "customer_id_pattern": self.pattern,
            "missing": missing(self.sources),
            "switched_off": self.consequence,
            "mapping": mapping_text(self),
        }


def propose(files: Sequence[FileFacts], schemas: Mapping[str, TableSchema]) -> Proposal:
    """The best file of each table, and the best column of each of its columns."""
    readable = [it for it in files if it.problem is None and it.rows]
    sources = [
        _source(schema, readable)
        for schema in schemas.values()
        if not schema.meta.get("supplementary")
    ]
    ids = [
        fact.shape
        for it in sources
        if it.file is not None
        for column in it.columns
        if column.ours == "customer_id"
        for fact in it.file.columns
        if fact.name == column.theirs
    ]
    shape = ids[0] if ids and len(set(ids)) == 1 else None
    pattern = None if shape == "C and digits" else pattern_of(shape)
    if pattern is None and ids and set(ids) != {"C and digits"}:
        pattern = r"\S+"
    _yearly(sources)
    return Proposal(list(files), sources, pattern, consequence(missing(sources)))


def _yearly(sources: list[SourceProposal]) -> None:
    """Yearly sums need the year that they are of: prices tell it, or a person does."""
    readings = next(it for it in sources if it.name == READINGS)
    energy = next((it for it in readings.columns if it.ours == "consumption_elec_kwh"), None)
    if readings.file is None or energy is None or not _YEARLY.search(energy.theirs):
        return
    prices = next((it for it in sources if it.name == "price_history" and it.file), None)
    dated = next(
        (
            fact
            for column in (prices.columns if prices else [])
            if column.ours == "pricing_date"
            for fact in prices.file.columns  # type: ignore[union-attr]
            if fact.name == column.theirs
        ),
        None,
    )
    year = dated.last_date[:4] if dated and dated.last_date else "2000"
    readings.readings = {
        "layout": "billing_period",
        "period_start": {"value": f"{year}-01-01"},
        "period_end": {"value": f"{year}-12-31"},
        "longer_than_month": "true",
    }
    readings.absent = [name for name in readings.absent if name != "timestamp"]
    readings.questions.append(
        f"{energy.theirs} looks like a yearly sum. Is it of {year}? The as-of date is the last "
        "day of the period."
    )


def missing(sources: Sequence[SourceProposal]) -> list[str]:
    """Tables and columns that no file has, as a mapping declares them."""
    found = []
    for it in sources:
        if it.file is None:
            found.append(it.name)
        else:
            found += [f"{it.name}.{column}" for column in it.absent]
            found += [f"{it.name}.months"] if it.readings.get("longer_than_month") else []
    return found


def _matrix(schema: TableSchema, file: FileFacts) -> SourceProposal | None:
    """Readings with a row a day and a column an hour, or None."""
    numbered: dict[tuple[str, str], dict[int, str]] = {}
    for fact in file.columns:
        if fact.kind == "number" and (named := _HOUR.fullmatch(fact.name)):
            prefix, number, suffix = named.groups()
            numbered.setdefault((prefix, suffix), {})[int(number)] = number
    day = next((fact for fact in file.columns if fact.kind == "date"), None)
    found = [it for it in _columns(schema, file) if it.ours == "customer_id"]
    (prefix, suffix), hours = max(
        numbered.items(), key=lambda it: len(it[1]), default=(("", ""), {})
    )
    begins = [first for first in (0, 1) if set(range(first, first + 24)) <= set(hours)]
    if day is None or not found or not begins:
        return None
    digits = ":02" if hours[1].startswith("0") else ""
    readings = {
        "layout": "hour_matrix",
        "date": day.name,
        "hour_columns": f"{prefix}{{hour{digits}}}{suffix}",
    }
    first = f"{prefix}{hours[begins[-1]]}{suffix}"
    question = f"are these a row a day with a column an hour, {first} from 0 to 1 h, in kWh?"
    return SourceProposal(schema.name, file, found, [], [question], readings)


def _source(schema: TableSchema, files: Sequence[FileFacts]) -> SourceProposal:
    """The file that most of a table's required columns are found in."""
    if schema.name == READINGS:
        matrices = [it for it in (_matrix(schema, file) for file in files) if it is not None]
        if matrices:
            return matrices[0]
    wanted = [column for column in schema.columns if column.required]
    best, best_score = SourceProposal(schema.name), 0.0
    for file in files:
        columns = _columns(schema, file)
        found = {it.ours: it for it in columns}
        own = [c for c in wanted if c.name != "customer_id"]
        score = sum(found[c.name].confidence for c in own if c.name in found) / len(own)
        named = re.sub(r"[0-9]+", "", file.label.lower())
        score += 0.5 * (str(schema.file).split("{")[0].rstrip("_") in named)
        has_key = "customer_id" not in schema.column_names or "customer_id" in found
        if has_key and score > best_score and _tells(schema, found):
            best_score, absent = score, [c.name for c in wanted if c.name not in found]
            is_named = stands_for(file.label, schema) is not None
            best = SourceProposal(schema.name, file, columns, absent, is_named=is_named)
    if best.file is not None:
        if schema.name == READINGS:
            _dated(best)
        best.questions += [f"{it.theirs}: {it.question}" for it in best.columns if it.question]
    return best


def _dated(source: SourceProposal) -> None:
    """Readings whose dates are days: with an hour beside them, or the ends of a period."""
    assert source.file is not None
    facts = {_plain(fact.name): fact for fact in source.file.columns}
    day = next((it for it in source.columns if it.ours == "timestamp"), None)
    if day is not None:
        if next(it for it in facts.values() if it.name == day.theirs).length > _DAY:
            return
        source.columns.remove(day)
        hour = next((facts[name] for name in _HOURS if name in facts), None)
        if hour is not None:
            source.readings = {"layout": "hourly", "date": day.theirs, "hour": hour.name}
            source.questions.append(
                f"{hour.name}: does 01:00 name the hour that begins or that ends then? If neither "
                "0 nor 24 is among the hours, add hour_label: starting or ending."
            )
        else:
            source.readings = {"layout": "daily", "date": day.theirs}
            source.questions.append(f"{day.theirs} has no hours. Is each row the energy of a day?")
    else:
        dates = [(name, fact.name) for name, fact in facts.items() if fact.kind == "date"]
        begins = [theirs for name, theirs in dates if _BEGINS.search(name)]
        ends = [theirs for name, theirs in dates if _ENDS.search(name) and theirs not in begins]
        if not begins or not ends:
            return
        source.absent = [name for name in source.absent if name != "timestamp"]
        source.readings = {
            "layout": "billing_period",
            "period_start": begins[0],
            "period_end": ends[0],
        }
        source.questions.append(
            f"{begins[0]}, {ends[0]}: are they the first and the last day of each reading?"
        )
        _by_period(source)
    for name, fact in facts.items():
        if fact.kind == "number" and _EXPORTED.search(name):
            source.readings["exported"] = fact.name
            break


def _by_period(source: SourceProposal) -> None:
    """Energy of tariff periods, each in a column of its own."""
    assert source.file is not None
    energy = next(it for it in source.columns if it.ours == "consumption_elec_kwh")
    if not (own := _PERIOD.fullmatch(_plain(energy.theirs))):
        return
    found = {}
    for fact in source.file.columns:
        named = _PERIOD.fullmatch(_plain(fact.name))
        if fact.kind == "number" and named and named.group(1, 3) == own.group(1, 3):
            found[int(named[2])] = fact.name
    if sorted(found) != [1, 2, 3]:
        source.questions.append(
            f"energy of {len(found)} tariff periods: add them up with sum, and name peak, standard "
            "and off-peak under readings.energy_by_period if there are three."
        )
        return
    parts = tuple(found[number] for number in (1, 2, 3))
    asked = f"are {', '.join(parts)} the energy of peak, standard and off-peak hours?"
    source.columns[source.columns.index(energy)] = replace(energy, sum=parts, question=asked)
    source.readings["energy_by_period"] = list(parts)


def _tells(schema: TableSchema, found: Mapping[str, ColumnProposal]) -> bool:
    """Whether the columns that make the table what it is are there."""
    needed = {
        "churn_label": ("churn",),
        "customer_attributes": ("contracted_power_kw",),
        "customer_contracts": ("customer_first_activation_date", "next_renewal_date"),
        "price_history": ("pricing_date", "variable_price_tier3_eur_kwh"),
        "costs_by_province_month": ("month", "elec_var_cost_eur_kwh"),
        READINGS: ("consumption_elec_kwh",),
        "customer_interactions": ("date", "interaction_summary"),
    }[schema.name]
    return all(name in found for name in needed)


def _columns(schema: TableSchema, file: FileFacts) -> list[ColumnProposal]:
    """The best column of the file for each of the table's, each used once."""
    scored = sorted(
        (
            (score, position, column, fact, why)
            for position, column in enumerate(schema.columns)
            for fact in file.columns
            for score, why in [_likeness(column, fact)]
            if score >= LIKELY
        ),
        key=lambda it: (-it[0], it[1]),
    )
    taken: dict[str, ColumnProposal] = {}
    used: set[str] = set()
    for score, _, column, fact, why in scored:
        if column.name in taken or fact.name in used:
            continue
        used.add(fact.name)
        taken[column.name] = _proposal(column, fact, score, why)
    return [taken[name] for name in schema.column_names if name in taken]


def _likeness(column: ColumnSchema, fact: ColumnFacts) -> tuple[float, str]:
    """How sure a column of a file is one of ours, 0 to 1, and why."""
    kinds = _KINDS.get(column.data_type, ("text", "number", "yes or no", "date"))
    if fact.kind not in kinds or (column.name == "customer_id" and fact.kind == "date"):
        return 0.0, ""
    plain = _plain(fact.name)
    if plain in column.names:
        return 1.0, "the name is ours"
    words = _WORDS.get(column.name, ())
    if plain in words:
        return 0.9 - 0.01 * words.index(plain), f"{fact.name} is a usual name of {column.name}"
    close = max(
        (difflib.SequenceMatcher(None, plain, name).ratio() for name in (*column.names, *words)),
        default=0.0,
    )
    return (close * 0.8, "the name is alike") if close > 0.8 else (0.0, "")


def _plain(name: str) -> str:
    """In lower case, without accents, and with one sign between words."""
    letters = unicodedata.normalize("NFD", name.lower())
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"[\u0300-\u036f]", "", letters)).strip("_")


def _proposal(column: ColumnSchema, fact: ColumnFacts, score: float, why: str) -> ColumnProposal:
    evidence = [why, f"{fact.kind}, {fact.filled:,} values"]
    # Texts and identifiers name people, who are not to be in a mapping.
    if fact.kind in ("number", "date", "yes or no"):
        evidence[-1] += f", for example {', '.join(fact.examples)}"
    if fact.shape:
        evidence.append(f"all values are {fact.shape}")
    question, unit = None, None
    if score < CERTAIN - 0.1:
        question = f"is it {column.name}?"
    if fact.kind == "date" and fact.year_last:
        order = {(True, False): "day first", (False, True): "month first"}.get(
            (fact.day_first > 0, fact.month_first > 0)
        )
        evidence.append(f"year last, {order or 'no date proves the order'}")
        question = question or (None if order else "does the day or the month come first?")
    if column.data_type == "double":
        unit, asked = _unit(column, fact)
        question = question or asked
        if fact.minimum == 0 and column.name.startswith("variable_price"):
            question = question or (
                "prices of 0 count as missing. If one price holds all day, write "
                f"{column.name}: {{first: [{fact.name}, <the column of that price>]}}"
            )
        if fact.comma_numbers:
            evidence.append("decimal comma")
    return ColumnProposal(column.name, fact.name, round(score, 2), evidence, question, unit)


def _unit(column: ColumnSchema, fact: ColumnFacts) -> tuple[str | None, str | None]:
    """A unit that the name says, or that only the values explain."""
    wanted = str(column.meta.get("unit", ""))
    plain = fact.name.lower()
    if wanted == "kWh":
        named = next((unit for sign, unit in _UNITS if sign in plain), None)
        if named and named != wanted:
            return named, None
    high = column.meta.get("mean_maximum")
    if fact.mean is not None and high is not None and fact.mean > high and wanted == "kW":
        return "W", f"the mean is {fact.mean:,.0f}; is it in W?"
    if wanted == "m3" and fact.mean is not None and _YEARLY.search(plain):
        return "kWh", "is the gas in kWh? Otherwise remove the unit."
    maximum = column.meta.get("maximum")
    if wanted == "EUR/kWh" and fact.mean is not None and maximum and fact.mean > maximum:
        return "EUR/MWh", f"the mean is {fact.mean:,.1f}; is it in EUR/MWh?"
    return None, None


def mapping_text(proposal: Proposal) -> str:
    """A mapping file with the evidence and the open questions as comments."""
    lines = [
        "# Proposed by `spanishgas inspect`; see docs/own-files.md. Lines with ? are questions:",
        "# check them, correct the mapping, and run with --mapping.",
    ]
    if proposal.pattern:
        lines += ["", "customer_id:", f"  pattern: {_quoted(proposal.pattern)}"]
    lines += ["", "sources:"]
    for it in proposal.sources:
        lines += _source_lines(it)
    return "\n".join(lines) + "\n"


def _source_lines(it: SourceProposal) -> list[str]:
    if it.file is None:
        return [f"  # ? No file was recognized as {it.name}.", f"  {it.name}: {{absent: true}}"]
    if it.is_standard:
        return [f"  {it.name}: {{}} # {it.file.label}, by its own names"]
    lines = [f"  {it.name}:"]
    lines += [f"    # ? {question}" for question in it.questions]
    lines.append(f"    files: {_quoted(it.file.pattern)}")
    if it.file.encoding:
        lines.append(f"    encoding: {it.file.encoding}")
    if it.file.delimiter not in (None, ","):
        lines.append(f"    delimiter: {_quoted(str(it.file.delimiter))}")
    if order := _date_order(it):
        lines.append(f"    dates: {order}")
    lines.append("    columns:")
    for column in it.columns:
        value = _quoted(column.theirs)
        if column.sum:
            value = f"[{', '.join(_quoted(name) for name in column.sum)}]"
        if column.sum or column.unit:
            key = "sum" if column.sum else "column"
            unit = f", unit: {column.unit}" if column.unit else ""
            value = f"{{{key}: {value}{unit}}}"
        told = f"{column.confidence:.0%}: {'; '.join(column.evidence)}"
        lines.append(f"      {column.ours}: {value} # {told}".replace("\n", " "))
    for name in it.absent:
        if name in KEYS:
            lines.append(f"      # ? {name}: no column was recognized as it, and it is needed.")
        else:
            lines.append(f"      {name}: {{absent: true}} # ? No column was recognized as it.")
    lines.append('    ignore: "*" # columns that are not named above')
    if it.readings:
        text = yaml.safe_dump({"readings": it.readings}, sort_keys=False, default_style=None)
        lines += [f"    {line}" for line in text.replace("'", '"').rstrip().splitlines()]
    return lines


def _date_order(it: SourceProposal) -> str | None:
    """What dates with the year last prove about each other."""
    assert it.file is not None
    taken = {column.theirs for column in it.columns}
    taken |= {name for name in it.readings.values() if isinstance(name, str)}
    facts = [fact for fact in it.file.columns if fact.name in taken and fact.year_last]
    if any(fact.day_first for fact in facts) and not any(fact.month_first for fact in facts):
        return "day_first"
    if any(fact.month_first for fact in facts) and not any(fact.day_first for fact in facts):
        return "month_first"
    return None


def _quoted(text: str) -> str:
    """A text of YAML on one line."""
    return yaml.safe_dump(text, default_style='"', width=10_000, allow_unicode=True).strip()
