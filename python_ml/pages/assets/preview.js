// A page: menu, filters, grid; and what happens when a filter is used.
"use strict";

const page = JSON.parse(document.getElementById("document").textContent);
const CHARTS = ["bar", "row", "line", "area", "combo", "scatter", "pie"];
const opened = new Map(page.cards.map((card) => [card.key, card.rows]));
const values = {};
const charts = new Map();
let tab = page.tabs.length ? page.tabs[0].key : null;
let engine = null;
let unknown = ""; // an id that was asked for and that nothing has
let problem = ""; // what the address asks for and the page does not have

// ---------- where the page is: its hash holds tab and filters

function readHash() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const it of page.parameters) values[it.key] = given.get(it.key) || it.default || null;
  if (page.tabs.some((it) => it.key === given.get("tab"))) tab = given.get("tab");
  const wrong = [...given].filter(([key, value]) =>
    key === "tab" ? !page.tabs.some((it) => it.key === value) : !page.parameters.some((it) => it.key === key));
  problem = wrong.length ? `The address asks for ${wrong.map(([key, value]) => `${key} “${value}”`).join(", ")}, which this page does not have. It shows everything else.` : "";
}

function writeHash() {
  const given = new URLSearchParams();
  if (page.tabs.length && tab !== page.tabs[0].key) given.set("tab", tab);
  for (const it of page.parameters) if (values[it.key] && values[it.key] !== it.default) given.set(it.key, values[it.key]);
  const hash = given.toString();
  history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
}

function clickHref(card, row) {
  const given = new URLSearchParams();
  if (card.click.tab) given.set("tab", card.click.tab);
  for (const it of card.click.parameters) {
    const value = row[card.columns.indexOf(it.column)];
    if (value !== null) given.set(it.parameter_key, value);
  }
  return `${card.click.dashboard}.html#${given}`;
}

// ---------- the engine: SQLite with the marts of this page, read when first needed

function loadScript(source) {
  return new Promise((done, failed) => {
    const script = el("script", {src: source});
    script.onload = done;
    script.onerror = () => failed(new Error(`${source} is missing beside this page`));
    document.head.append(script);
  });
}

async function startEngine() {
  const [, , bytes] = [
    await loadScript("assets/vendor/sql-wasm-inline.js"),
    await loadScript(`assets/data_${page.key}.js`),
    Uint8Array.from(atob(window.previewData), (it) => it.charCodeAt(0)),
  ];
  window.previewData = null;
  const unpacked = new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
  const [SQL, content] = await Promise.all([initSqlJs(), unpacked.arrayBuffer()]);
  return new SQL.Database(new Uint8Array(content));
}

function database() {
  engine ??= startEngine();
  return engine;
}

// As Metabase does: a clause whose tag has no value is dropped.
function statement(card, given) {
  const tag = /\{\{\s*([a-z0-9_]+)\s*\}\}/g;
  const has = (name) => given[name] ?? card.tags[name];
  const bound = [];
  const sql = card.sql
    .replace(/\[\[([\s\S]*?)\]\]/g, (_, body) => [...body.matchAll(tag)].every((it) => has(it[1])) ? body : "")
    .replace(tag, (_, name) => {
      bound.push(has(name));
      return "?";
    });
  return [sql, bound];
}

function query(db, sql, bound) {
  const prepared = db.prepare(sql, bound), rows = [];
  while (prepared.step()) rows.push(prepared.get());
  prepared.free();
  return rows;
}

async function applyFilters() {
  const isDefault = page.parameters.every((it) => (values[it.key] || null) === (it.default || null));
  writeHash();
  const filtered = page.cards.filter((card) => card.sql);
  if (isDefault) {
    unknown = "";
    for (const card of filtered) card.rows = opened.get(card.key);
  } else {
    document.body.classList.add("busy");
    const db = await database();
    unknown = "";
    for (const it of page.parameters) {
      if (!it.table || !values[it.key]) continue;
      const found = known(db, it, values[it.key]);
      if (found === null) unknown = `No ${it.name.toLowerCase()} has the id ${values[it.key]}.`;
      else values[it.key] = found;
    }
    for (const card of filtered) card.rows = query(db, ...statement(card, values));
    document.body.classList.remove("busy");
  }
  writeHash();
  document.getElementById("main").hidden = Boolean(unknown);
  drawCards(unknown ? [] : page.cards);
  announce(unknown || (isDefault ? "All filters are off" : "The page shows the filtered values"));
  document.body.dataset.ready = String(Number(document.body.dataset.ready || 0) + 1);
}

// What was typed as the data writes it: c1234 and 1234 are C01234.
function known(db, parameter, typed) {
  const wanted = typed.trim();
  const padded = /^c?\d+$/i.test(wanted) ? `C${wanted.replace(/^c/i, "").padStart(5, "0")}` : wanted;
  const found = query(db, `select ${parameter.column} from ${parameter.table} where upper(${parameter.column}) in (upper(?), upper(?)) limit 1`, [wanted, padded]);
  return found.length ? found[0][0] : null;
}

// ---------- what is drawn

function drawHeader() {
  const menu = el("nav", {"aria-label": "Dashboards"}, ...page.menu.map((it) =>
    el("a", {href: `${it.key}.html`, title: it.description, "aria-current": it.key === page.key ? "page" : null}, it.name)));
  const theme = el("button", {class: "theme", title: "Light or dark", "aria-label": "Light or dark", onclick: () => {
    const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    localStorage.setItem("theme", next);
    drawCards(page.cards);
  }}, "◐");
  const asOf = writeDate(page.state.as_of_date, {date_style: "D"});
  const focused = document.activeElement?.id;
  document.getElementById("header").replaceChildren(
    el("div", {class: "top"},
      el("a", {class: "brand", href: `${page.menu[0].key}.html`}, el("i", {}), "SpanishGas"),
      menu,
      el("span", {class: "badge", title: "Static pages, written from the warehouse by the definitions of the Metabase dashboards"}, "Preview"),
      theme),
    el("div", {class: "title"},
      el("div", {}, el("h1", {}, page.name), el("p", {}, page.description)),
      el("div", {class: "asof"}, el("b", {}, `As of ${asOf}`), el("span", {}, `Run ${page.state.run_id}`))),
    ...[drawTabs(), drawFilters(), unknown ? el("p", {class: "empty unknown", role: "status"}, unknown) : null, problem ? el("p", {class: "error", role: "alert"}, problem) : null].filter(Boolean));
  if (focused) document.getElementById(focused)?.focus();
  const current = menu.querySelector("[aria-current]");
  menu.scrollLeft = current.offsetLeft - menu.clientWidth / 2 + current.clientWidth / 2;
}

function drawTabs() {
  if (!page.tabs.length) return null;
  const open = (key) => {
    tab = key;
    problem = "";
    writeHash();
    drawHeader();
    drawGrid();
    document.getElementById(`tab_${key}`).focus();
  };
  const steps = {ArrowRight: 1, ArrowLeft: -1};
  return el("div", {class: "tabs", role: "tablist", "aria-label": page.name, onkeydown: (event) => {
    const at = page.tabs.findIndex((it) => it.key === tab), last = page.tabs.length - 1;
    const to = event.key === "Home" ? 0 : event.key === "End" ? last : (at + (steps[event.key] || 0) + last + 1) % (last + 1);
    if (to === at) return;
    event.preventDefault();
    open(page.tabs[to].key);
  }}, ...page.tabs.map((it) => el("button", {
    role: "tab", id: `tab_${it.key}`, "aria-controls": "main", "aria-selected": String(it.key === tab),
    tabindex: it.key === tab ? 0 : -1, onclick: () => open(it.key),
  }, it.name)));
}

function drawFilters() {
  const reaching = new Set(page.cards.filter((it) => it.position && it.tab === tab).flatMap((it) => Object.keys(it.tags)));
  const shown = page.parameters.filter((it) => reaching.has(it.key));
  if (!shown.length) return null;
  const set = (key, value) => {
    values[key] = value || null;
    problem = "";
    applyFilters().then(drawHeader, showError);
  };
  const inputs = shown.map((it) => {
    const listed = it.is_card
      ? page.cards.find((card) => card.key === it.values.card)
      : null;
    const choices = listed ? listed.rows.map((row) => row[listed.columns.indexOf(it.values.column)]) : it.values;
    const input = choices
      ? el("select", {id: `filter_${it.key}`, onchange: (event) => set(it.key, event.target.value)},
          ...(it.default ? [] : [el("option", {value: ""}, "All")]),
          ...choices.map((value) => el("option", {value, ...(value === values[it.key] ? {selected: ""} : {})}, value)))
      : typedInput(it, set);
    return el("label", {class: values[it.key] && values[it.key] !== it.default ? "used" : ""}, el("span", {}, it.name), input);
  });
  const isUsed = shown.some((it) => values[it.key] && values[it.key] !== it.default);
  const reset = el("button", {class: "reset", disabled: isUsed ? null : "", onclick: () => {
    for (const it of page.parameters) values[it.key] = it.default || null;
    applyFilters().then(drawHeader, showError);
  }}, "Reset");
  return el("div", {class: "filters"}, ...inputs, reset);
}

function typedInput(parameter, set) {
  const list = el("datalist", {id: `values_${parameter.key}`});
  const input = el("input", {
    id: `filter_${parameter.key}`, list: list.id, type: "search", autocomplete: "off", spellcheck: "false",
    placeholder: `Type a ${parameter.name.toLowerCase()} id`, value: values[parameter.key] || "",
    onchange: (event) => set(parameter.key, event.target.value.trim()),
    onfocus: () => database().catch(showError),
    oninput: async (event) => {
      const wanted = event.target.value.trim();
      const db = await database();
      const found = query(db, `select distinct ${parameter.column} from ${parameter.table} where ${parameter.column} like ? order by 1 limit 12`, [`%${wanted}%`]);
      list.replaceChildren(...found.map(([value]) => el("option", {value})));
    },
  });
  const box = el("span", {class: "typed"}, input, list);
  return box;
}

function place(node, position) {
  node.style.setProperty("--column", `${position.column + 1} / span ${position.width}`);
  node.style.setProperty("--row", `${position.row + 1} / span ${position.height}`);
  node.style.setProperty("--height", position.height);
}

function drawGrid() {
  for (const chart of charts.values()) chart.dispose();
  charts.clear();
  const cards = page.cards.filter((it) => it.position && it.tab === tab);
  const texts = page.texts.filter((it) => it.tab === tab);
  const nodes = [
    ...cards.map((card) => [card.position, el("section", {class: `card ${card.display}${card.scrolls ? " scrolls" : ""}`, id: `card_${card.key}`, "aria-label": card.name})]),
    ...texts.map((text) => [text.position, el("section", {class: `text ${text.display}`}, ...(text.display === "heading" ? [el("h2", {}, text.markdown)] : markdownNodes(text.markdown)))]),
  ];
  nodes.sort(([one], [other]) => one.row - other.row || one.column - other.column);
  for (const [position, node] of nodes) place(node, position);
  document.getElementById("main").replaceChildren(...nodes.map(([, node]) => node));
  drawCards(cards);
}

function drawCards(cards) {
  for (const card of cards) if (card.position && card.tab === tab) drawCard(card);
}

function drawCard(card) {
  const node = document.getElementById(`card_${card.key}`);
  charts.get(card.key)?.dispose();
  charts.delete(card.key);
  const body = el("div", {class: "body"});
  node.classList.toggle("none", !card.rows.length);
  node.replaceChildren(
    el("div", {class: "head"}, el("h2", {title: card.description || null}, card.name), ...notes(card)),
    body);
  if (!card.rows.length) {
    body.append(el("p", {class: "empty"}, el("b", {}, "No results. "), ...inlineNodes(card.empty.trim())));
  } else if (CHARTS.includes(card.display)) {
    drawChart(card, body);
  } else {
    const draw = {scalar: drawScalar, smartscalar: drawTrend, progress: drawProgress, table: drawTable, object: drawObject}[card.display];
    draw(card, body, card.display === "progress" ? page.colors : (card.state ??= {}));
  }
}

// What a card shows, and which of the filters in use do not reach it.
function notes(card) {
  const used = page.parameters.filter((it) => values[it.key] && values[it.key] !== it.default);
  const missed = used.filter((it) => !(it.key in card.tags)).map((it) => it.name.toLowerCase());
  return [
    card.description ? el("span", {class: "note"}, card.description) : null,
    missed.length ? el("span", {class: "missed"}, `Not filtered by ${missed.join(" and ")}`) : null,
  ].filter(Boolean);
}

// Said by screen readers.
function announce(text) {
  document.getElementById("live").textContent = text;
}

function chartLabel(card) {
  const settings = card.settings, at = (name) => card.columns.indexOf(name);
  const dimension = (settings["graph.dimensions"] || [settings["pie.dimension"]])[0];
  const metric = (settings["graph.metrics"] || [settings["pie.metric"]])[0];
  const said = card.rows.slice(0, 12).map((row) => `${write(card, dimension, row[at(dimension)])} ${write(card, metric, row[at(metric)])}`);
  return `${card.name}. ${card.description} ${said.join(", ")}${card.rows.length > 12 ? " and more" : ""}`;
}

function drawChart(card, body) {
  body.setAttribute("role", "img");
  body.setAttribute("aria-label", chartLabel(card));
  const chart = echarts.init(body, null, {renderer: "svg"});
  chart.setOption(chartOption(card, page.colors, body.clientWidth, body.clientHeight));
  if (card.click && !card.click.column) chart.on("click", (it) => {
    const dimensions = card.settings["graph.dimensions"] || [card.settings["pie.dimension"]];
    const row = card.rows.find((row) => row[card.columns.indexOf(dimensions[0])] === it.data.category
      && (dimensions.length < 2 || String(row[card.columns.indexOf(dimensions[1])]) === it.data.series));
    if (row) location.href = clickHref(card, row);
  });
  charts.set(card.key, chart);
}

function showError(error) {
  document.body.classList.remove("busy");
  document.getElementById("footer").prepend(el("p", {class: "error"}, String(error.message || error)));
  throw error;
}

function drawFooter() {
  document.getElementById("footer").replaceChildren(el("p", {},
    `Preview of the Metabase dashboards from ${page.state.customer_count.toLocaleString("en-GB")} customers as of ${writeDate(page.state.as_of_date, {date_style: "D"})}, `
    + `run ${page.state.run_id}, model ${page.state.model_version}. It is written by every run and reads no network. `,
    page.state.start ? el("a", {href: page.state.start}, "Data Docs, model cards and definitions") : ""));
}

readHash();
drawHeader();
drawGrid();
drawFooter();
let wide = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === wide) return;
  wide = innerWidth;
  drawCards(page.cards);
});
// On paper every list is whole, and colours are those of light pages.
let themeOnScreen = null;
addEventListener("beforeprint", () => {
  themeOnScreen = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
  drawCards(page.cards);
  for (const card of page.cards) card.state?.drawAll?.();
  charts.forEach((chart) => chart.resize());
});
addEventListener("afterprint", () => {
  document.documentElement.dataset.theme = themeOnScreen;
  drawCards(page.cards);
});
addEventListener("hashchange", () => {
  readHash();
  drawHeader();
  drawGrid();
  applyFilters().then(drawHeader, showError);
});
if (page.parameters.some((it) => values[it.key] && values[it.key] !== it.default)) applyFilters().then(drawHeader, showError);
else document.body.dataset.ready = "0";
