/* Draws the figures of a report from the data in the page, and makes its tables sort, search and download.
   Nothing here writes markup: every name a user gave reaches the page as text. */
(function () {
  "use strict";

  const page = JSON.parse(document.getElementById("page-data").textContent);
  const views = new Map();
  const state = {};
  const rowCache = new Map();
  const ALL = -1;

  /* ------------------------------------------------------------ data */

  function rowsOf(name) {
    if (!rowCache.has(name)) {
      const columns = page.datasets[name].data;
      const keys = Object.keys(columns);
      const n = keys.length ? columns[keys[0]].length : 0;
      const rows = [];
      for (let i = 0; i < n; i += 1) {
        const row = {};
        for (const key of keys) row[key] = columns[key][i];
        rows.push(row);
      }
      rowCache.set(name, rows);
    }
    return rowCache.get(name);
  }

  /* The signals that choose the rows of a table; the others only mark something in the drawing. */
  function choices(figure) {
    return Object.keys(figure.controls).filter((key) => !figure.marked.includes(key));
  }

  function tableOf(figure) {
    if (figure.table === "phi") return shapleyTable(figure);
    const { columns } = page.datasets[figure.table];
    const shown = columns.filter((column) => column.label);
    const filters = choices(figure).filter((key) => columns.some((column) => column.key === key));
    const rows = rowsOf(figure.table)
      .filter((row) => filters.every((key) => state[key] === ALL || row[key] === state[key]))
      .map((row) =>
        shown.map((column) => (column.lookup ? page.params[column.lookup][row[column.key]] : row[column.key])));
    return { head: shown.map((column) => column.label), rows };
  }

  /* Shapley values are stored feature by feature; this lists what the figure shows of them. */
  function shapleyTable(figure) {
    const p = page.params;
    const k = state.k || 0;
    const own = choices(figure);
    const features = own.includes("f") ? [state.f] : own.includes("s") ? p.features.map((_, f) => f) : p.order[k];
    const samples = own.includes("s") ? [state.s] : p.rows.map((_, s) => s);
    const phi = new Map(rowsOf("phi").filter((row) => row.k === k).map((row) => [row.f, row.phi]));
    const x = rowsOf("x");
    const rows = [];
    for (const f of features) {
      for (const s of samples) {
        const value = phi.get(f)[s];
        if (value === null) continue;
        const code = x[f].x[s];
        rows.push([p.rows[s], p.features[f], p.levels[f] && code !== null ? p.levels[f][code] : code, value]);
      }
    }
    return { head: ["Sample", "Feature", "Value", "Shapley value"], rows };
  }

  /* ------------------------------------------------------------ figures */

  const tip = document.getElementById("tooltip");

  function showTooltip(handler, event, item, value) {
    if (value === null || value === undefined || typeof value !== "object") {
      tip.hidden = true;
      return;
    }
    const list = document.createElement("dl");
    for (const [name, text] of Object.entries(value)) {
      const dt = document.createElement("dt");
      const dd = document.createElement("dd");
      dt.textContent = name;
      dd.textContent = text;
      list.append(dt, dd);
    }
    tip.replaceChildren(list);
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = event.clientX + 14 + box.width > window.innerWidth ? event.clientX - 14 - box.width : event.clientX + 14;
    const top = event.clientY + 14 + box.height > window.innerHeight ? event.clientY - 14 - box.height : event.clientY + 14;
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${Math.max(4, top)}px`;
  }

  async function draw(figure, element) {
    const spec = structuredClone(figure.spec);
    for (const entry of spec.params) if (entry.name in state) entry.value = state[entry.name];
    for (const entry of spec.params) if (entry.name === "narrow") entry.value = element.clientWidth < 420;
    for (const name of figure.params) spec.params.push({ name, value: page.params[name] });
    const compiled = vegaLite.compile(spec, { config: page.config }).spec;
    const view = new vega.View(vega.parse(compiled, {}, { ast: true }), {
      expr: vega.expressionInterpreter,
      renderer: "svg",
      container: element.querySelector(".canvas"),
      hover: true,
      tooltip: showTooltip,
      logLevel: vega.Warn,
    });
    for (const name of figure.datasets) view.data(name, rowsOf(name).map((row) => ({ ...row })));
    view.addEventListener("click", (event, item) => pick(item));
    views.set(figure.name, view);
    await view.runAsync();
    element.dataset.drawn = "yes";
  }

  /* A click on a sample or a feature anywhere shows that sample's waterfall, that feature's dependence. */
  function pick(item) {
    if (!item || !item.datum || !views.has("waterfall")) return;
    const { datum } = item;
    const sample = datum.row !== undefined ? datum.row : datum.s;
    if (offered("f", datum.f)) setSignal("f", datum.f);
    if (offered("s", sample)) setSignal("s", sample);
    const shown = sample === undefined ? datum.f !== undefined && "dependence" : "waterfall";
    if (shown) document.getElementById(`figure-${shown}`).scrollIntoView({ block: "nearest" });
  }

  function offered(name, value) {
    const choice = document.querySelector(`select[data-signal="${name}"]`);
    return choice !== null && value !== undefined && [...choice.options].some((option) => Number(option.value) === value);
  }

  /* On paper every figure is as wide as the page; drawn at once, for the printer does not wait. */
  const PAPER = 820;
  const redraw = (view, width) => width > 0 && view.width(width).run();
  window.addEventListener("beforeprint", () => views.forEach((view) => redraw(view, PAPER)));
  window.addEventListener("afterprint", () => views.forEach((view) => redraw(view, view.container().clientWidth)));

  function setSignal(name, value) {
    state[name] = value;
    for (const select of document.querySelectorAll(`select[data-signal="${name}"]`)) {
      select.value = String(value);
      tell(select);
    }
    for (const figure of page.figures) {
      if (!(name in figure.controls)) continue;
      const view = views.get(figure.name);
      if (view) view.signal(name, value).runAsync();
      fillTable(figure);
    }
  }

  /* Paper has no select boxes: what is chosen stands there as text. */
  function tell(select) {
    select.nextElementSibling.textContent = select.selectedOptions[0]?.text ?? "";
  }

  /* ------------------------------------------------------------ tables and downloads */

  const MOST_ROWS = 1000;

  function fillTable(figure) {
    const details = document.querySelector(`[data-figure="${figure.name}"] details.data`);
    if (!details || !details.open) return;
    const { head, rows } = tableOf(figure);
    const table = document.createElement("table");
    const body = table.createTBody();
    const line = table.createTHead().insertRow();
    for (const text of head) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = text;
      line.append(cell);
    }
    for (const row of rows.slice(0, MOST_ROWS)) {
      const tr = body.insertRow();
      for (const value of row) {
        const td = tr.insertCell();
        td.textContent = value === null || value === undefined ? "–" : value;
        if (typeof value === "number") td.className = "n";
      }
    }
    if (rows.length > MOST_ROWS) {
      table.createCaption().textContent = `The first ${MOST_ROWS} of ${rows.length} rows; the CSV holds all.`;
    }
    details.querySelector(".scroll").replaceChildren(table);
  }

  /* A spreadsheet reads text that begins with one of = + - @ as a formula; an apostrophe keeps it text. */
  function csv(head, rows) {
    const quote = (value) => {
      let text = value === null || value === undefined ? "" : String(value);
      if (/^[=+\-@\t\r]/.test(text) && !Number.isFinite(Number(text))) text = `'${text}`;
      return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    return [head, ...rows].map((row) => row.map(quote).join(",")).join("\r\n") + "\r\n";
  }

  function save(name, content, type) {
    const link = document.createElement("a");
    const blob = content instanceof Blob ? content : new Blob([content], { type });
    link.href = URL.createObjectURL(blob);
    link.download = name;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  async function savePicture(view, name, kind) {
    if (kind === "svg") {
      const text = await view.toSVG();
      save(`${name}.svg`, text.replaceAll("currentColor", "#1b1f24"), "image/svg+xml");
      return;
    }
    const drawn = await view.toCanvas(2);
    const sheet = document.createElement("canvas");
    sheet.width = drawn.width;
    sheet.height = drawn.height;
    const context = sheet.getContext("2d");
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, sheet.width, sheet.height);
    context.drawImage(drawn, 0, 0);
    sheet.toBlob((blob) => save(`${name}.png`, blob), "image/png");
  }

  function sortBy(table, header) {
    const position = [...header.parentNode.children].indexOf(header);
    const ascending = header.getAttribute("aria-sort") !== "ascending";
    for (const other of header.parentNode.children) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const key = (row) => {
      const cell = row.children[position];
      if (cell.dataset.value === undefined) return cell.textContent.trim();
      return cell.dataset.value === "" ? null : Number(cell.dataset.value);
    };
    const order = (a, b) => {
      if (a === null || b === null) return (a === null) - (b === null);
      const way = typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
      return ascending ? way : -way;
    };
    const body = table.tBodies[0];
    body.append(...[...body.rows].map((row) => [key(row), row]).sort((a, b) => order(a[0], b[0])).map((pair) => pair[1]));
  }

  /* The CSV of a table: its numbers in full, the ends of an interval in two columns, no drawings. */
  function tableText(table) {
    const textOf = (cell) => cell.dataset.csv ?? cell.dataset.value ?? cell.textContent.trim().replace(/\s+/g, " ");
    const cells = (row) =>
      [...row.children].flatMap((cell) => {
        if ("skip" in cell.dataset) return [];
        return "high" in cell.dataset ? [textOf(cell), cell.dataset.high] : [textOf(cell)];
      });
    return csv(cells(table.tHead.rows[0]), [...table.tBodies[0].rows].map(cells));
  }

  /* ------------------------------------------------------------ threshold */

  /* As Python writes it: three decimals, a tie to the even digit. */
  function share(value) {
    const thousandths = value * 1000;
    const whole = Math.floor(thousandths);
    const isTie = Math.abs(thousandths - whole - 0.5) < 1e-9;
    const rounded = isTie ? whole + (whole % 2) : Math.round(thousandths);
    return value !== 0 && value < 0.01 ? value.toPrecision(3) : (rounded / 1000).toFixed(3);
  }

  /* Predictive values follow from the likelihood ratios by Bayes' rule, and so do their bounds. */
  function predictive(row, prevalence) {
    const odds = prevalence / (1 - prevalence);
    const ppv = (ratio) => (ratio === null ? 1 : (odds * ratio) / (1 + odds * ratio));
    const npv = (ratio) => (ratio === null ? 0 : 1 / (1 + odds * ratio));
    const { sensitivity: found, specificity: cleared } = row;
    const called = prevalence * found + (1 - prevalence) * row.fpr;
    const others = prevalence * (1 - found) + (1 - prevalence) * cleared;
    const texts = { ppv: "–", ppv_interval: "–", npv: "–", npv_interval: "–" };
    if (called > 0) {
      texts.ppv = share((prevalence * found) / called);
      texts.ppv_interval = `${share(ppv(row.lr_positive_low))} to ${share(ppv(row.lr_positive_high))}`;
    }
    if (others > 0) {
      texts.npv = share(((1 - prevalence) * cleared) / others);
      texts.npv_interval = `${share(npv(row.lr_negative_high))} to ${share(npv(row.lr_negative_low))}`;
    }
    return texts;
  }

  function followThreshold(explorer) {
    const slider = document.getElementById("threshold-slider");
    const percent = document.getElementById("threshold-prevalence");
    const asked = percent.value;
    const show = () => {
      const t = Number(slider.value);
      const valid = Number(percent.value) > 0 && Number(percent.value) < 100;
      percent.setAttribute("aria-invalid", String(!valid));
      const named = percent.value === asked || !valid ? Number(percent.dataset.exact) : Number(percent.value) / 100;
      const texts = { ...page.params.threshold_texts[t], ...predictive(rowsOf("thresholds")[t], named) };
      for (const [key, text] of Object.entries(texts)) {
        const cell = document.getElementById(`live-${key}`);
        if (cell) cell.textContent = text;
      }
      document.getElementById("threshold-value").textContent = texts.threshold;
      slider.setAttribute(
        "aria-valuetext",
        `${texts.threshold}: sensitivity ${texts.sensitivity}, specificity ${texts.specificity}`);
      setSignal("t", t);
    };
    slider.addEventListener("input", show);
    percent.addEventListener("input", show);
    explorer.hidden = false;
    show();
  }

  /* ------------------------------------------------------------ start */

  for (const select of document.querySelectorAll("select[data-signal]")) {
    const name = select.dataset.signal;
    if (!(name in state)) state[name] = Number(select.value);
    tell(select);
    select.addEventListener("change", () => setSignal(name, Number(select.value)));
  }
  for (const figure of page.figures) {
    for (const [name, value] of Object.entries(figure.controls)) if (!(name in state)) state[name] = value;
    const element = document.querySelector(`[data-figure="${figure.name}"]`);
    if (!element) continue;
    element.querySelector("details.data").addEventListener("toggle", () => fillTable(figure));
    for (const button of element.querySelectorAll("[data-download]")) {
      button.addEventListener("click", () => {
        const kind = button.dataset.download;
        if (kind === "csv") {
          const { head, rows } = tableOf(figure);
          save(`${figure.name}.csv`, csv(head, rows), "text/csv");
        } else if (views.has(figure.name)) savePicture(views.get(figure.name), figure.name, kind);
      });
    }
  }
  for (const table of document.querySelectorAll("table.sortable")) {
    for (const button of table.tHead.querySelectorAll("th button")) {
      button.addEventListener("click", () => sortBy(table, button.parentNode));
    }
  }
  for (const input of document.querySelectorAll("[data-search]")) {
    const table = document.getElementById(input.dataset.search);
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    });
  }
  for (const button of document.querySelectorAll("[data-download-table]")) {
    button.addEventListener("click", () =>
      save(`${button.dataset.name}.csv`, tableText(document.getElementById(button.dataset.downloadTable)), "text/csv"));
  }
  const explorer = document.getElementById("threshold-explorer");
  if (explorer) followThreshold(explorer);
  (async () => {
    for (const figure of page.figures) {
      const element = document.querySelector(`[data-figure="${figure.name}"]`);
      try {
        if (element) await draw(figure, element);
      } catch (error) {
        element.querySelector(".drawing").textContent = "This figure could not be drawn; its data are in the table below.";
        console.error(figure.name, error);
      }
    }
    document.documentElement.dataset.ready = "yes";
  })();
})();
