// How values are written, by the column settings of Metabase.
"use strict";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function columnSettings(card, column) {
  return card.settings.column_settings[JSON.stringify(["name", column])] || {};
}

function titleOf(card, column) {
  const series = (card.settings.series_settings || {})[column] || {};
  return series.title || columnSettings(card, column).column_title || column;
}

function writeNumber(value, decimals) {
  return value.toLocaleString("en-GB", {
    minimumFractionDigits: decimals, maximumFractionDigits: decimals,
  }).replace("-", "−");
}

function writeDate(text, settings) {
  if (!/^\d{4}-\d{2}-\d{2}/.test(text)) return text;
  const [year, month, day] = text.slice(0, 10).split("-").map(Number);
  if (settings.date_style === "MMMM, YYYY") return `${MONTHS[month - 1]} ${year}`;
  const written = `${day} ${MONTHS[month - 1]} ${year}`;
  return settings.time_enabled && text.length > 10 ? `${written}, ${text.slice(11, 16)}` : written;
}

function write(card, column, value) {
  if (value === null || value === undefined) return "–";
  const settings = columnSettings(card, column);
  if (settings.date_style && typeof value === "string") return writeDate(value, settings);
  if (settings.boolean) return value ? "yes" : "no";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return String(value);
  if (settings.number_style === "percent") {
    return `${writeNumber(value * 100, settings.decimals ?? 1)}%`;
  }
  const decimals = settings.decimals ?? (Number.isInteger(value) ? 0 : 2);
  return (settings.prefix || "") + writeNumber(value, decimals) + (settings.suffix || "").replace(" ", "\u00a0");
}

// For a figure that stands alone: an amount of money that is missing is not known. A ratio has no value
// where there is nothing to divide by.
function writeKnown(card, column, value) {
  const isAmount = (columnSettings(card, column).suffix || "").includes("€") && !column.includes("_per_");
  return isAmount && (value === null || value === undefined) ? "not known" : write(card, column, value);
}

// Short, for an axis or a label: 12k €.
function writeShort(card, column, value) {
  const settings = columnSettings(card, column);
  if (settings.date_style && typeof value === "string") return writeDate(value, settings);
  if (typeof value !== "number") return String(value);
  if (settings.number_style === "percent") return `${+(value * 100).toFixed(1)}%`;
  const size = Math.abs(value);
  const short = size >= 10000
    ? value.toLocaleString("en-US", {notation: "compact", maximumFractionDigits: 1}).replace("K", "k")
    : value.toLocaleString("en-GB", {maximumFractionDigits: size >= 100 ? 0 : size >= 10 ? 1 : 3});
  return short.replace("-", "−") + (settings.suffix || "");
}

// The small part of Markdown that definitions use, as nodes: text is never read as HTML.
const INLINE = /\*\*(.+?)\*\*|`(.+?)`|\[(.+?)\]\(dashboard:([a-z0-9_]+)(?:\/([a-z0-9_]+))?\)/g;

function inlineNodes(line) {
  const nodes = [];
  let end = 0;
  for (const found of line.matchAll(INLINE)) {
    const [whole, strong, code, linked, key, tabKey] = found;
    nodes.push(line.slice(end, found.index));
    if (strong) nodes.push(el("strong", {}, ...inlineNodes(strong)));
    else if (code) nodes.push(el("code", {}, code));
    else nodes.push(el("a", {href: tabKey ? `${key}.html#tab=${tabKey}` : `${key}.html`}, ...inlineNodes(linked)));
    end = found.index + whole.length;
  }
  return [...nodes, line.slice(end)];
}

function markdownNodes(text) {
  return text.trim().split(/\n\s*\n/).map((block) => {
    const lines = block.split("\n");
    if (lines.every((line) => line.startsWith("- "))) {
      return el("ul", {}, ...lines.map((line) => el("li", {}, ...inlineNodes(line.slice(2)))));
    }
    const heading = lines[0].match(/^(#+) (.*)/);
    if (heading) return el("h3", {}, ...inlineNodes(heading[2]));
    return el("p", {}, ...inlineNodes(lines.join(" ")));
  });
}

// What an object has under a name from the data; `constructor` is a name like any other.
function own(object, name) {
  return object && Object.hasOwn(object, name) ? object[name] : undefined;
}

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// A colour of the definitions as the theme that is on shows it.
function shade(color) {
  return document.documentElement.dataset.theme === "dark" ? page.dark[color] || color : color;
}

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
