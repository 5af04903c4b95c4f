// Numbers and tables.
"use strict";

const CHUNK = 60; // rows drawn at a time

function drawScalar(card, body) {
  const at = card.columns.indexOf(card.settings["scalar.field"]);
  const value = card.rows[0][at];
  const text = writeKnown(card, card.settings["scalar.field"], value);
  body.append(el("div", {class: typeof value === "string" ? "scalar words" : "scalar", style: `--characters:${text.length}`}, text));
}

function drawTrend(card, body) {
  drawScalar(card, body);
  const row = card.rows[card.rows.length - 1];
  const field = card.settings["scalar.field"];
  const now = row[card.columns.indexOf(field)];
  for (const comparison of card.settings["scalar.comparisons"]) {
    const before = row[card.columns.indexOf(comparison.column)];
    if (before === null || before === undefined || now === null) {
      body.append(el("div", {class: "trend"}, `no ${comparison.label} to compare with`));
      continue;
    }
    const change = now - before;
    const isUp = change > 0;
    const kind = change === 0 ? "even" : isUp === !card.settings["scalar.switch_positive_negative"] ? "good" : "bad";
    const arrow = change === 0 ? "→" : isUp ? "▲" : "▼";
    const share = change === 0 ? "as in the" : before ? `${writeNumber(Math.abs(change / before) * 100, 1)}%` : "";
    body.append(el("div", {class: "trend"}, el("span", {class: kind}, `${arrow} ${share}`),
      change === 0 ? ` ${comparison.label}` : ` · ${comparison.label} ${write(card, field, before)}`));
  }
}

function drawProgress(card, body, colors) {
  const value = card.rows[0][0], goal = card.settings["progress.goal"];
  const color = shade(card.settings["progress.color"] || colors.primary);
  body.append(
    el("div", {class: "scalar", style: `--characters:${write(card, card.columns[0], value).length}`}, write(card, card.columns[0], value)),
    el("div", {class: "progress"}, el("i", {style: `width:${Math.max(0, Math.min(100, value / goal * 100))}%;background:${color}`})),
    el("div", {class: "trend"}, `of ${write(card, card.columns[0], goal)}`));
}

function shownColumns(card) {
  const listed = card.settings["table.columns"] || card.columns.map((name) => ({name, enabled: true}));
  return listed.filter((it) => it.enabled).map((it) => ({
    name: it.name, at: card.columns.indexOf(it.name), title: titleOf(card, it.name),
  }));
}

// Rules that colour the cells of a column, in the order in which their values rank.
function rulesOf(card) {
  const chips = new Map();
  for (const rule of card.settings["table.column_formatting"] || []) {
    if (rule.type !== "single") continue;
    for (const column of rule.columns) {
      if (!chips.has(column)) chips.set(column, []);
      chips.get(column).push(rule);
    }
  }
  return chips;
}

function holds(rule, value) {
  switch (rule.operator) {
    case "=": return value === rule.value;
    case "!=": return value !== rule.value;
    case "<": return value !== null && value < rule.value;
    case ">": return value !== null && value > rule.value;
    case "<=": return value !== null && value <= rule.value;
    case ">=": return value !== null && value >= rule.value;
    case "is-true": return value === true || value === 1;
    default: return value === false || value === 0;
  }
}

function cell(card, column, row, rules, limits, isRight, written = write) {
  const value = row[column.at];
  const isNumber = typeof value === "number";
  const content = written(card, column.name, value);
  const rule = (rules.get(column.name) || []).find((it) => holds(it, value));
  const settings = columnSettings(card, column.name);
  let inner = [content];
  if (settings.show_mini_bar && isNumber) {
    const width = Math.max(0, value) / (limits.get(column.name) || 1) * 100;
    inner.unshift(el("span", {class: "mini"}, el("i", {style: `width:${width.toFixed(1)}%`})));
  }
  if (card.click && (card.click.column === column.name)) {
    inner = [el("a", {href: clickHref(card, row)}, ...inner)];
  }
  const wraps = settings.text_wrapping ? " wrap" : "";
  return el("td", {
    "data-title": column.title,
    class: `${isNumber || isRight ? "number" : ""}${wraps}${rule ? " coloured" : ""}`,
    style: rule ? `--cell-color:${rule.color}` : wraps && column.width ? `--own:${column.width}px` : null,
  }, ...inner);
}

function drawTable(card, body, state) {
  const widths = card.settings["table.column_widths"] || [];
  const columns = shownColumns(card).map((it, index) => ({...it, width: widths[index]})), rules = rulesOf(card);
  const limits = new Map(columns.map((it) => [it.name, Math.max(...card.rows.map((row) => +row[it.at] || 0))]));
  let rows = card.rows;
  if (state.sort) {
    const {at, isDown} = state.sort;
    const ranks = new Map((rules.get(columns.find((it) => it.at === at).name) || []).map((it, index) => [it.value, index]));
    const rank = (value) => ranks.get(value) ?? value;
    const order = (one, other) => one === other ? 0 : one === null ? 1 : other === null ? -1 : (rank(one) < rank(other) ? -1 : 1) * (isDown ? -1 : 1);
    rows = [...rows].sort((one, other) => order(one[at], other[at]));
  }
  const numbers = columns.map((it) => rows.slice(0, 50).some((row) => typeof row[it.at] === "number"));
  const head = el("tr", {}, ...columns.map((it, index) => {
    const isSorted = state.sort && state.sort.at === it.at;
    const mark = isSorted ? (state.sort.isDown ? " ▾" : " ▴") : "";
    return el("th", {class: numbers[index] ? "number" : "", "aria-sort": isSorted ? (state.sort.isDown ? "descending" : "ascending") : null},
      el("button", {onclick: () => {
        state.sort = {at: it.at, isDown: isSorted ? !state.sort.isDown : numbers[index]};
        body.replaceChildren();
        drawTable(card, body, state);
        body.querySelectorAll("th button")[index].focus();
        announce(`${card.name}: sorted by ${it.title}, ${state.sort.isDown ? "descending" : "ascending"}`);
      }}, it.title + mark));
  }));
  const list = el("tbody");
  const group = el("colgroup", {}, ...widths.map((it) => el("col", {style: `width:${it}px`})));
  const table = el("table", {"aria-label": card.name, class: rows.length === 1 ? "one" : columns.length > 3 ? "several" : null, style: widths.length ? `--width:${widths.reduce((sum, it) => sum + it, 0)}px` : null},
    group, el("thead", {}, head), list);
  const scroll = el("div", {class: "scroll", tabindex: 0, role: "region", "aria-label": `${card.name}, ${card.rows.length} rows`}, table);
  let count = 0;
  const more = (size = CHUNK) => {
    const next = rows.slice(count, count + size);
    list.append(...next.map((row) => el("tr", {}, ...columns.map((it, index) => cell(card, it, row, rules, limits, numbers[index])))));
    count += next.length;
  };
  scroll.addEventListener("scroll", () => {
    if (count < rows.length && scroll.scrollTop + scroll.clientHeight > scroll.scrollHeight - 400) more();
  });
  more();
  state.drawAll = () => more(rows.length - count);
  const written = rows.length.toLocaleString("en-GB");
  body.append(scroll, el("div", {class: "foot"},
    el("button", {class: "export", "aria-label": `Save ${written} rows of ${card.name} as CSV`, onclick: () => download(card)}, "Save as CSV"),
    el("span", {}, rows.length === 1 ? "1 row" : `${written} rows`)));
}

function drawObject(card, body) {
  const rules = rulesOf(card), row = card.rows[0];
  const items = shownColumns(card).flatMap((it) => [
    el("dt", {}, it.title),
    el("dd", {}, ...cell(card, it, row, rules, new Map(), false, writeKnown).childNodes),
  ]);
  body.append(el("div", {class: "scroll", tabindex: 0, role: "region", "aria-label": `${card.name}, all fields`}, el("dl", {}, ...items)));
}

// A value in a CSV file that a spreadsheet opens. A text that it would run as a formula gets a `'`
// before it, also after what a program that expects another separator (`;` in Spain) takes for the
// end of a cell. Numbers, and texts that are nothing but a number, stay as they are.
function csvCell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const isNumber = /^[+-]?\d+(\.\d+)?$/.test(value);
  const harmless = isNumber ? value : value
    .replace(/^(?=[\t\r\n]|\s*[=+\-@＝＋－＠])/, "'")
    .replace(/([;\t\r\n]["'\s]*)(?=[=+\-@＝＋－＠])/g, "$1'");
  return /[",;\t\r\n]/.test(harmless) ? `"${harmless.replace(/"/g, '""')}"` : harmless;
}

// A column of a saved file says its unit, as its cells hold plain numbers.
function csvTitle(card, column) {
  const settings = columnSettings(card, column.name);
  const unit = settings.number_style === "percent" ? "share from 0 to 1" : (settings.suffix || "").trim();
  return unit ? `${column.title} (${unit})` : column.title;
}

function csvValue(card, column, value) {
  if (typeof value !== "number" || Number.isInteger(value)) return value;
  const settings = columnSettings(card, column.name);
  const decimals = (settings.decimals ?? 4) + (settings.number_style === "percent" ? 3 : settings.suffix ? 2 : 1);
  return Number(value.toFixed(Math.min(decimals, 6)));
}

function asCsv(card) {
  const columns = shownColumns(card);
  return [
    columns.map((it) => csvCell(csvTitle(card, it))),
    ...card.rows.map((row) => columns.map((it) => csvCell(csvValue(card, it, row[it.at])))),
  ].map((line) => line.join(",")).join("\n");
}

function download(card) {
  const link = el("a", {href: URL.createObjectURL(new Blob(["\ufeff" + asCsv(card)], {type: "text/csv"})), download: `spanishgas_${page.key}_${card.key}_${page.state.as_of_date}.csv`});
  link.click();
  URL.revokeObjectURL(link.href);
}
