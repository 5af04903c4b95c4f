"""A workbook as Excel writes it, with the library of the standard: no more than a sheet needs."""

from __future__ import annotations

import datetime as dt
import math
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import pandas as pd

_TYPES = (
    '<?xml version="1.0" encoding="UTF-8"?><Types xmlns="http://schemas.openxmlformats.org/package/'
    '2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-'
    'package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override '
    'PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    'spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/><Override '
    'PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    'spreadsheetml.styles+xml"/></Types>'
)
_RELATION = (
    '<?xml version="1.0" encoding="UTF-8"?><Relationships xmlns="http://schemas.openxmlformats.org/'
    'package/2006/relationships">{}</Relationships>'
)
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_ONE = f'<Relationship Id="rId1" Type="{_OFFICE}/{{kind}}" Target="{{target}}"/>'
_STYLES = (
    f'<?xml version="1.0" encoding="UTF-8"?><styleSheet xmlns="{_MAIN}"><fonts count="1"><font/>'
    '</fonts><fills count="1"><fill/></fills><borders count="1"><border/></borders><cellStyleXfs '
    'count="1"><xf/></cellStyleXfs><cellXfs count="2"><xf/><xf numFmtId="22" '
    'applyNumberFormat="1"/></cellXfs></styleSheet>'
)
_EPOCH = dt.datetime(1899, 12, 30)


def write_workbook(frame: pd.DataFrame, path: Path, sheet: str = "Hoja1") -> None:
    """Write a frame, header first: texts as texts, numbers as numbers, instants as dates."""
    rows = [list(frame.columns), *frame.itertuples(index=False, name=None)]
    body = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
    book = (
        f'<?xml version="1.0" encoding="UTF-8"?><workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">'
        f'<sheets><sheet name="{escape(sheet)}" sheetId="1" r:id="rId1"/></sheets></workbook>'
    )
    links = _ONE.format(kind="worksheet", target="worksheets/sheet1.xml") + (
        f'<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/>'
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("[Content_Types].xml", _TYPES)
        office = _ONE.format(kind="officeDocument", target="xl/workbook.xml")
        file.writestr("_rels/.rels", _RELATION.format(office))
        file.writestr("xl/workbook.xml", book)
        file.writestr("xl/_rels/workbook.xml.rels", _RELATION.format(links))
        file.writestr("xl/styles.xml", _STYLES)
        file.writestr(
            "xl/worksheets/sheet1.xml",
            f'<?xml version="1.0" encoding="UTF-8"?><worksheet xmlns="{_MAIN}"><sheetData>{body}'
            "</sheetData></worksheet>",
        )


def _cell(value: object) -> str:
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return "<c/>"
    if isinstance(value, dt.datetime):
        days = (pd.Timestamp(value).to_pydatetime() - _EPOCH) / dt.timedelta(days=1)
        return f'<c s="1"><v>{days!r}</v></c>'
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    return f"<c><v>{value}</v></c>"
