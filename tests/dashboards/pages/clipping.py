"""What a page shows in part only: cut texts, hidden rows, filters too narrow for their value."""

from __future__ import annotations

from playwright.sync_api import Page

_SCRIPT = """() => {
    const found = [], over = (it) => it.scrollWidth > it.clientWidth + 1;
    for (const card of document.querySelectorAll("main .card")) {
        const say = (what) => found.push(`${card.id.replace("card_", "")}: ${what}`);
        for (const it of card.querySelectorAll(".head h2, .note, dd, div.scalar")) {
            if (over(it)) say(`“${it.textContent}” is cut`);
        }
        if (card.scrollWidth > card.clientWidth + 1) say("is wider than its place");
        const list = card.querySelector(".scroll");
        if (list && !card.matches(".scrolls") && list.scrollHeight > list.clientHeight + 1) {
            say("rows are hidden that it promises to show");
        }
        for (const it of card.querySelectorAll("svg text")) {
            if (/(…|[.]{3})$/.test(it.textContent)) say(`label “${it.textContent}” is cut`);
        }
    }
    const pen = document.createElement("canvas").getContext("2d");
    for (const it of document.querySelectorAll(".filters select")) {
        const style = getComputedStyle(it), text = it.selectedOptions[0].textContent;
        pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
        const padding = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
        const room = it.clientWidth - padding - 14; // of its arrow
        if (pen.measureText(text).width > room) found.push(`${it.id}: “${text}” is cut`);
    }
    if (document.documentElement.scrollWidth > innerWidth) found.push("the page is too wide");
    return found;
}"""


def clipped(page: Page) -> list[str]:
    """Each as `card: what`; nothing if everything is to be seen or scrolls as it should."""
    found: list[str] = page.evaluate(_SCRIPT)
    return found
