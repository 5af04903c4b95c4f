// Visualization settings of Metabase as options of ECharts.
"use strict";

const FALLBACK = ["primary", "accent", "good", "secondary", "bad", "muted"];

function seriesOf(card) {
  const dimensions = card.settings["graph.dimensions"];
  const metrics = card.settings["graph.metrics"];
  const at = (name) => card.columns.indexOf(name);
  const categories = [...new Set(card.rows.map((row) => row[at(dimensions[0])]))];
  // Like Metabase, rows of a series that share an x are added up; a scatter keeps its points.
  const merged = (points) => card.display === "scatter" ? points : summed(points);
  if (dimensions.length === 1) {
    const series = metrics.map((metric) => ({
      key: metric, name: titleOf(card, metric), metric,
      points: merged(card.rows.map((row) => [row[at(dimensions[0])], row[at(metric)]])),
    }));
    return {categories, series};
  }
  // A point of a scatter has the name that a column beside its axes gives it.
  const beside = card.columns.filter((it) => ![...dimensions, ...metrics].includes(it));
  const labelOf = (row) => card.display === "scatter" && beside.length ? row[at(beside[0])] : null;
  const groups = new Map();
  for (const row of card.rows) {
    const key = String(row[at(dimensions[1])]);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push([row[at(dimensions[0])], row[at(metrics[0])], labelOf(row)]);
  }
  const known = (card.settings["graph.series_order"] || []).map((it) => it.key);
  const keys = [...known.filter((it) => groups.has(it)), ...[...groups.keys()].filter((it) => !known.includes(it))];
  const series = keys.map((key) => ({
    key, name: own(card.settings.series_settings, key)?.title || key, metric: metrics[0],
    points: merged(groups.get(key)),
  }));
  return {categories, series};
}

function summed(points) {
  const sums = new Map();
  for (const [key, value, label] of points) {
    const before = sums.get(key);
    if (!before) sums.set(key, [key, value, label]);
    else if (value !== null) before[1] = (before[1] ?? 0) + value;
  }
  return [...sums.values()];
}

function textStyle(size = 11) {
  return {color: css("--ink-soft"), fontSize: size, fontFamily: css("--font")};
}

function marker(color) {
  return el("i", {class: "marker", style: `background:${color}`});
}

// The content is made of nodes: as a text, the library would read it as HTML.
function tooltip(card, isItem) {
  return {
    trigger: isItem ? "item" : "axis", confine: true, axisPointer: {type: "shadow", shadowStyle: {color: css("--hover")}},
    backgroundColor: css("--panel"), borderColor: css("--line"), textStyle: textStyle(12),
    formatter: (found) => {
      const list = (Array.isArray(found) ? found : [found]).filter((it) => it.value !== null && it.value !== undefined && it.value[2] !== null);
      if (!list.length) return "";
      const shown = list.slice(0, 12);
      const dimension = card.settings["graph.dimensions"][0];
      const lines = shown.map((it) => el("tr", {},
        el("td", {}, marker(it.color), it.seriesName),
        el("td", {class: "number"}, write(card, it.data.metric, it.data.raw))));
      return [
        el("b", {}, list[0].data.label ?? write(card, dimension, list[0].data.category)),
        el("table", {class: "tip"}, ...lines),
      ];
    },
  };
}

function cartesian(card, colors, width) {
  const settings = card.settings;
  const {categories, series} = seriesOf(card);
  const isRow = card.display === "row";
  const dimension = settings["graph.dimensions"][0];
  const xScale = settings["graph.x_axis.scale"];
  const isLinear = ["linear", "log", "pow"].includes(xScale) || card.display === "scatter";
  const stack = settings["stackable.stack_type"];
  const totals = new Map(categories.map((it) => [it, 0]));
  if (stack === "normalized") {
    for (const one of series) for (const [key, value] of one.points) totals.set(key, totals.get(key) + (value || 0));
  }
  const options = (key) => own(settings.series_settings, key) || {};
  const hasRight = series.some((it) => options(it.key).axis === "right");
  const drawn = series.map((one, index) => {
    const ours = options(one.key);
    const kind = ours.display || (isRow ? "bar" : card.display === "combo" ? (index ? "line" : "bar") : card.display);
    const color = shade(ours.color || colors[FALLBACK[index % FALLBACK.length]]);
    const lookup = new Map(one.points.map(([key, value]) => [key, value]));
    const item = (category, raw, label = null) => {
      const value = raw === null || raw === undefined ? null
        : stack === "normalized" ? raw / (totals.get(category) || 1) : raw;
      const key = write(card, dimension, category);
      return {
        value: isLinear ? [category, value] : isRow ? [value, key] : [key, value],
        category, raw, label, metric: one.metric, series: one.key,
      };
    };
    const data = isLinear ? one.points.map(([key, value, label]) => item(key, value, label))
      : categories.filter((it) => lookup.has(it)).map((it) => item(it, lookup.get(it)));
    const showsValues = ours.show_series_values ?? settings["graph.show_values"];
    return {
      name: one.name, type: kind === "area" ? "line" : kind, data,
      stack: stack ? "all" : undefined, yAxisIndex: hasRight && ours.axis === "right" ? 1 : 0,
      itemStyle: {color, borderRadius: kind === "bar" && !stack ? (isRow ? [0, 2, 2, 0] : [2, 2, 0, 0]) : 0},
      lineStyle: {color, width: ours["line.style"] && ours["line.style"] !== "solid" ? 1.25 : 2, type: ours["line.style"] || "solid"},
      areaStyle: kind === "area" ? {color, opacity: stack ? 0.85 : 0.18} : undefined,
      step: ours["line.interpolate"] === "step-after" ? "end" : ours["line.interpolate"] === "step-before" ? "start" : false,
      smooth: ours["line.interpolate"] === "cardinal",
      showSymbol: ours["line.marker_enabled"] ?? (data.length <= 15), symbol: "circle", symbolSize: card.display === "scatter" ? 9 : 5,
      barMaxWidth: isRow ? 22 : 44, barCategoryGap: "28%", animation: false, cursor: card.click ? "pointer" : "default",
      label: showsValues ? {
        show: true, position: isRow ? "right" : stack ? "inside" : "top", ...textStyle(10.5),
        formatter: (it) => Math.abs(it.data.raw) >= 100000 ? writeShort(card, one.metric, it.data.raw) : write(card, one.metric, it.data.raw),
      } : undefined,
      labelLayout: showsValues ? {hideOverlap: true} : undefined,
      markLine: index === 0 && settings["graph.show_goal"] ? {
        silent: true, symbol: "none", animation: false, lineStyle: {color: css("--ink-soft"), type: "dashed"},
        label: {formatter: () => settings["graph.goal_label"] || "", position: "insideEndTop", ...textStyle(10.5)},
        data: [isRow ? {xAxis: settings["graph.goal_value"]} : {yAxis: settings["graph.goal_value"]}],
      } : undefined,
    };
  });
  // Like Metabase, limits count only where the axis does not choose its range by itself.
  const limit = (end) => settings["graph.y_axis.auto_range"] === false ? settings[`graph.y_axis.${end}`] : undefined;
  // Shares of which one is nearly everything: an axis does not go beyond.
  const isWhole = (column) => {
    const largest = Math.max(...series.filter((it) => options(it.key).axis !== "right").flatMap((it) => it.points.map(([, value]) => value ?? 0)));
    return !stack && columnSettings(card, column).number_style === "percent" && largest > 0.8 && largest <= 1;
  };
  const valueAxis = (column, title, isRight) => ({
    type: settings["graph.y_axis.scale"] === "log" ? "log" : "value", name: width > 330 ? title : undefined, nameLocation: "middle", nameGap: isRow ? 26 : 50,
    nameTextStyle: textStyle(), position: isRight ? "right" : undefined,
    min: isRight ? undefined : limit("min"), max: isRight ? undefined : limit("max") ?? (stack === "normalized" || isWhole(column) ? 1 : undefined),
    splitLine: {show: !isRight, lineStyle: {color: css("--grid")}}, splitNumber: 4,
    interval: stack === "normalized" || limit("max") === 1 || isWhole(column) ? 0.25 : undefined,
    minInterval: isCount(card, column) ? 1 : undefined,
    axisLabel: {...textStyle(), hideOverlap: true, formatter: (it) => stack === "normalized" ? `${+(it * 100).toFixed(0)}%` : writeShort(card, column, it)},
  });
  const categoryAxis = isLinear ? {
    type: xScale === "log" ? "log" : "value", splitLine: {show: false}, scale: true,
    axisLabel: {...textStyle(), hideOverlap: true, formatter: (it) => writeShort(card, dimension, it)},
  } : {
    type: "category", data: categories.map((it) => write(card, dimension, it)), inverse: isRow,
    axisTick: {show: false},
    axisLabel: labelsOf(categories.map((it) => write(card, dimension, it)), isRow, width),
  };
  Object.assign(categoryAxis, {
    axisLine: {lineStyle: {color: css("--line")}}, nameTextStyle: textStyle(), nameLocation: "middle", nameGap: isRow ? 60 : 26,
    name: settings["graph.x_axis.labels_enabled"] === false || isRow ? undefined : settings["graph.x_axis.title_text"],
  });
  const yTitle = settings["graph.y_axis.labels_enabled"] === false ? undefined : settings["graph.y_axis.title_text"];
  const metric = series.length ? series[0].metric : settings["graph.metrics"][0];
  const right = series.find((it) => options(it.key).axis === "right");
  const axis = [valueAxis(metric, yTitle, false)];
  if (right) axis.push(valueAxis(right.metric, undefined, true));
  const hasLegend = series.length > 1;
  return {
    animation: false,
    grid: {left: yTitle && !isRow && width > 330 ? 26 : 6, right: isRow || settings["graph.show_values"] ? 34 : 14, top: hasLegend ? 34 : 14,
      bottom: (isRow ? yTitle : categoryAxis.name) ? 24 : 4,
      // Labels are inside, but leave the points most of the height however many lines they have.
      outerBoundsMode: "same", outerBoundsContain: "axisLabel", outerBoundsClampHeight: "60%"},
    legend: hasLegend ? {top: 0, left: 0, type: "scroll", itemWidth: 12, itemHeight: 9, icon: "roundRect", textStyle: textStyle(11.5), pageTextStyle: textStyle(), pageIconColor: css("--ink-soft")} : undefined,
    tooltip: tooltip(card, isLinear && card.display === "scatter"),
    xAxis: isRow ? axis[0] : categoryAxis, yAxis: isRow ? categoryAxis : axis, series: drawn,
  };
}

// Whole things have no quarters.
function isCount(card, column) {
  const settings = columnSettings(card, column);
  return settings.number_style === "decimal" && settings.decimals === 0 && !settings.suffix;
}

// Three lines at most where a label is broken.
function shortLabel(text) {
  return text.replace(/\s+/g, " ").replace(/^(.{60}).+$/u, "$1…");
}

// A few names are all told, on several lines where that is needed; dates and ranges may leave some out.
function labelsOf(names, isRow, width) {
  const style = {...textStyle(), lineHeight: 12, overflow: "break"};
  if (isRow) return {...style, interval: 0, width: Math.min(190, width * 0.38), formatter: shortLabel};
  const isFew = names.length <= 6 && names.some((it) => /[a-z] [a-z]/i.test(it));
  if (isFew) return {...style, interval: 0, width: (width - 70) / names.length - 6};
  return {...textStyle(), hideOverlap: true, interval: "auto"};
}

// Like Metabase, the largest first unless the card keeps the order of rows.
function sortedSlices(card, at) {
  return card.settings["pie.sort_rows"] === false ? card.rows : [...card.rows].sort((one, other) => other[at] - one[at]);
}

function pie(card, colors, width, height) {
  const radius = Math.min(height * 0.42, width * 0.29);
  const at = (name) => card.columns.indexOf(name);
  const dimension = card.settings["pie.dimension"], metric = card.settings["pie.metric"];
  const total = card.rows.reduce((sum, row) => sum + (row[at(metric)] || 0), 0);
  const share = (value) => `${writeNumber(value / total * 100, 1)}%`;
  return {
    animation: false,
    tooltip: {
      trigger: "item", confine: true, backgroundColor: css("--panel"), borderColor: css("--line"), textStyle: textStyle(12),
      formatter: (it) => [el("span", {}, marker(it.color), el("b", {}, it.name), `: ${write(card, metric, it.value)} (${share(it.value)})`)],
    },
    legend: {
      orient: "vertical", left: radius * 2 + 26, top: "middle", icon: "roundRect", itemWidth: 12, itemHeight: 9, itemGap: 10, textStyle: {...textStyle(12), lineHeight: 16},
      formatter: (name) => `${name}\n${share((card.rows.find((row) => write(card, dimension, row[at(dimension)]) === name) || [])[at(metric)] || 0)}`,
    },
    series: [{
      type: "pie", radius: [radius * 0.62, radius], center: [radius + 6, "50%"], cursor: card.click ? "pointer" : "default", minAngle: 3,
      itemStyle: {borderColor: css("--panel"), borderWidth: 2},
      label: {show: false},
      data: sortedSlices(card, at(metric)).map((row, index) => ({
        name: write(card, dimension, row[at(dimension)]), value: row[at(metric)], category: row[at(dimension)],
        itemStyle: {color: shade(own(card.settings["pie.colors"], row[at(dimension)]) || colors[FALLBACK[index % FALLBACK.length]])},
      })),
    }],
  };
}

function chartOption(card, colors, width, height) {
  return card.display === "pie" ? pie(card, colors, width, height) : cartesian(card, colors, width);
}
