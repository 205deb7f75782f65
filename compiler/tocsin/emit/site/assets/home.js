// The find box of the home page: an alert's name (any case, half-remembered, mistyped), a symptom, an error code, a pasted log line.
// Reads window.TOCSIN_LOOKUP (emit/site/lookup.py says its shape). Everything runs on the page, so it also runs with the network gone.
(() => {
  "use strict";
  const holder = document.getElementById("tocsin-find");
  const data = window.TOCSIN_LOOKUP;
  if (!holder || !data) return;
  const chinese = (document.documentElement.lang || "").toLowerCase().startsWith("zh");
  const say = (english, zh) => (chinese ? zh : english);
  const make = (name, properties, ...children) => {
    const node = Object.assign(document.createElement(name), properties || {});
    node.append(...children);
    return node;
  };

  // ---- text ----------------------------------------------------------------------------------------------------------------------

  const low = (text) => String(text || "").normalize("NFKC").toLowerCase();
  const tight = (text) => low(text).replace(/[^\p{L}\p{N}]+/gu, "");
  const spaced = (name) => String(name || "").replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(/([A-Z]+)([A-Z][a-z])/g, "$1 $2");
  const HAN = /\p{Script=Han}/u;
  const COMMON = new Set(("a an the is are was were be it its of in on to for and or not no my our with that this has have does do why " +
    "what how when i we at by from as").split(" "));

  // Two words of bits that say which pairs of letters a name holds: a name that shares few of them with what was typed is left out early.
  const bits = (text) => {
    let one = 0, two = 0;
    for (let at = 0; at + 1 < text.length; at += 1) {
      const hash = (text.charCodeAt(at) * 31 + text.charCodeAt(at + 1) * 17) >>> 0;
      if (hash & 32) one |= 1 << (hash & 31); else two |= 1 << (hash & 31);
    }
    return [one, two];
  };
  const count = (word) => {
    word -= (word >>> 1) & 0x55555555;
    word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
    return (((word + (word >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
  };

  // Edits (a letter more, less, other, or two swapped) between two words; more than `most` is `most + 1`.
  const edits = (left, right, most) => {
    if (Math.abs(left.length - right.length) > most) return most + 1;
    let before = [], above = Array.from({ length: right.length + 1 }, (_, index) => index);
    for (let row = 1; row <= left.length; row += 1) {
      const line = [row];
      let least = row;
      for (let column = 1; column <= right.length; column += 1) {
        const same = left[row - 1] === right[column - 1] ? 0 : 1;
        let cost = Math.min(above[column] + 1, line[column - 1] + 1, above[column - 1] + same);
        if (row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]) cost = Math.min(cost, before[column - 2] + 1);
        line.push(cost);
        if (cost < least) least = cost;
      }
      if (least > most) return most + 1;
      before = above;
      above = line;
    }
    return above[right.length];
  };

  // ---- log patterns --------------------------------------------------------------------------------------------------------------

  // A pattern as the pieces of plain text it cannot match without, in order, and whether running it is sure to be quick.
  // Scanned and not run: a pattern is somebody's text, and one nested repetition could hold the page for minutes.
  const study = (pattern) => {
    const source = String(pattern).slice(0, 400).replace(/^\(\?[imsu]+\)/, "");
    const pieces = [];
    let run = "", depth = 0, endless = 0, marks = 0, quick = pattern.length <= 400, repeatsInside = [false];
    const close = () => { if (run.length >= 2) pieces.push(run.toLowerCase()); run = ""; };
    for (let at = 0; at < source.length; at += 1) {
      const character = source[at];
      if (character === "\\") {
        const next = source[at + 1] || "";
        at += 1;
        if (/[1-9kQEpPxuU]/.test(next)) quick = false;
        if (/[a-zA-Z0-9]/.test(next)) { close(); if (/[QEpPxuU]/.test(next)) return { pieces: [], quick: false }; }
        else if (depth === 0) run += next;
      } else if (character === "[") {
        close();
        if (source.startsWith("[[:", at)) quick = false;
        at += 1;
        if (source[at] === "^") at += 1;
        if (source[at] === "]") at += 1;
        for (; at < source.length && source[at] !== "]"; at += 1) if (source[at] === "\\") at += 1;
      } else if (character === "(") {
        close();
        depth += 1;
        repeatsInside.push(false);
        if (/^\(\?(?:[=!]|<[=!])/.test(source.slice(at))) quick = false;
      } else if (character === ")") {
        depth = Math.max(0, depth - 1);
        const inside = repeatsInside.pop();
        if (/[*+{]/.test(source[at + 1] || "") && inside) quick = false;
        if (repeatsInside.length === 0) repeatsInside.push(false);
        if (inside) repeatsInside[repeatsInside.length - 1] = true;
      } else if (character === "|") {
        if (depth === 0) return { pieces: [], quick: quick && endless <= 1 };
        repeatsInside[repeatsInside.length - 1] = true;
      } else if (/[*+?{]/.test(character)) {
        const least = character === "+" ? 1 : character === "{" ? Number((/^\{(\d+)/.exec(source.slice(at)) || [0, "1"])[1]) : 0;
        if (depth === 0 && run) {
          const last = run.slice(-1);
          run = run.slice(0, -1);
          close();
          if (least > 0) run = last;
          close();
        }
        marks += 1;
        if (character !== "?") endless += 1;
        repeatsInside[repeatsInside.length - 1] = true;
        if (character === "{") at = Math.max(at, source.indexOf("}", at));
        if (source[at + 1] === "?") at += 1;
      } else if (character === "." || character === "^" || character === "$") close();
      else if (depth === 0) run += character;
    }
    close();
    // Two endless parts are tried from every place of the line, unless a text in front says where to begin.
    const most = /^[\w ]{3}/.test(source) ? 2 : 1;
    return { pieces, quick: quick && endless <= most && marks <= 10 };
  };

  const compile = (pattern) => {
    const flags = /^\(\?([imsu]+)\)/.exec(pattern);
    // What was pasted is one line, so where a line of the log begins and ends is not known.
    const bare = pattern.replace(/^\(\?[imsu]+\)/, "").replace(/^\^(?![*+?{])/, "").replace(/(^|[^\\])\$$/, "$1");
    const source = bare.replace(/\(\?P</g, "(?<").replace(/\\A/g, "^").replace(/\\[zZ]/g, "$");
    try { return new RegExp(source, "i" + (flags && flags[1].includes("s") ? "s" : "")); } catch (_) { return null; }
  };

  // ---- the lookup, made ready once -----------------------------------------------------------------------------------------------

  const urgency = new Map((data.call || []).map((row, index) => [row[0], index]));
  const sops = data.sops.map((row, index) => {
    const [id, title, severity, owner, step, symptoms, patterns, codes, zhTitle, zhSymptoms, status, services] = row;
    return {
      index, id, title, severity, owner, step, symptoms: symptoms || [], codes: codes || [], zhTitle: zhTitle || "",
      zhSymptoms: zhSymptoms || [], status: status || "", services: services || [], patterns: patterns || [],
      key: tight(id), head: low(`${title} ${zhTitle || ""}`), codeText: low((codes || []).join(" ")),
      text: low([id, title, zhTitle, owner, ...(symptoms || []), ...(zhSymptoms || []), ...(services || []), ...(codes || [])].join(" \u0001 ")),
    };
  });
  const alerts = data.alerts.map(([name, sop, severity, anchor, service, folder]) => {
    const key = tight(name);
    const [one, two] = bits(key);
    return { name, sop, severity, anchor: anchor || "", service: service || "", folder: folder || name, initials: String(name).replace(/[^A-Z0-9]/g, "").toLowerCase(), key, one, two, text: `${low(spaced(name))} ${low(name)} ${low(service)}` };
  });
  let patterns = null;
  const studied = () => {
    if (!patterns) {
      patterns = [];
      for (const sop of sops) for (const source of sop.patterns) patterns.push({ sop, source: String(source), ...study(String(source)), compiled: undefined });
    }
    return patterns;
  };
  let words = null;
  const vocabulary = () => {
    if (!words) {
      words = new Set();
      for (const sop of sops) for (const word of sop.text.split(/[^\p{L}\p{N}]+/u)) if (word.length > 3 && !HAN.test(word)) words.add(word);
      for (const alert of alerts) for (const word of alert.text.split(" ")) if (word.length > 3) words.add(word);
      words = [...words];
    }
    return words;
  };

  // ---- finding -------------------------------------------------------------------------------------------------------------------

  const subsequence = (short, long) => {
    let at = 0;
    for (let index = 0; index < long.length && at < short.length; index += 1) if (long[index] === short[at]) at += 1;
    return at === short.length;
  };

  const meant = (word) => {
    const most = word.length >= 8 ? 2 : word.length >= 4 ? 1 : 0;
    if (!most) return null;
    let best = null, least = most + 1;
    for (const each of vocabulary()) {
      if (Math.abs(each.length - word.length) > most || (each[0] !== word[0] && each[1] !== word[1])) continue;
      const distance = edits(word, each, most);
      if (distance < least) { least = distance; best = each; }
    }
    return best;
  };

  const byLog = (line, hit, deadline) => {
    if (line.length < 6) return;
    // The line that matters may stand deep in what was pasted. Where there are many patterns less of it is read: a phone is slow.
    const text = line.slice(0, Math.min(8000, Math.max(2000, 4e6 / studied().length)));
    const lower = text.toLowerCase();
    for (const each of studied()) {
      let at = 0, from = -1;
      let found = true;
      for (const piece of each.pieces) {
        at = lower.indexOf(piece, at);
        if (at < 0) { found = false; break; }
        if (from < 0) from = Math.max(0, at - 500);
        at += piece.length;
      }
      if (!found) {
        // The other way round: a few words out of the pattern, typed from memory.
        if (lower.length >= 8 && each.pieces.some((piece) => piece.includes(lower))) hit(each.sop, 420, say("log line", "日志"));
        continue;
      }
      const long = each.pieces.reduce((sum, piece) => sum + piece.length, 0);
      if (each.quick && performance.now() < deadline) {
        if (each.compiled === undefined) each.compiled = compile(each.source);
        if (each.compiled) {
          // One that takes nothing at all takes every line, and says nothing of any.
          if (each.compiled.test(text.substr(Math.max(0, from), 2000)) && !each.compiled.test("")) hit(each.sop, 700 + Math.min(long, 60), say("log line", "日志"));
          continue;
        }
      }
      if (long >= 6) hit(each.sop, 600 + Math.min(long, 60), say("log line", "日志"));
      else if (!each.pieces.length && each.source.length >= 6 && lower.includes(each.source.toLowerCase())) hit(each.sop, 600, say("log line", "日志"));
    }
  };

  const byName = (query, hits) => {
    const key = tight(query);
    if (key.length < 2) return;
    const near = [];
    const [one, two] = bits(key);
    const all = count(one) + count(two);
    const single = all > 2 && /^\S+$/.test(query);
    const initials = key.length >= 3 && key.length <= 6;
    for (const alert of alerts) {
      if (alert.key === key) hits(alert, 1000);
      else if (alert.key.startsWith(key)) hits(alert, 860 - Math.min(40, alert.key.length - key.length));
      else if (key.length > 2 && alert.key.includes(key)) hits(alert, 760 - Math.min(60, alert.key.length - key.length));
      else if (key.length >= 10 && alert.key.length >= 6 && key.includes(alert.key)) hits(alert, 740 + Math.min(40, alert.key.length));
      else if (single && count(alert.one & one) + count(alert.two & two) >= all * 0.6) near.push(alert);
      else if (initials && subsequence(key, alert.initials)) hits(alert, 520);
    }
    const most = Math.max(1, Math.floor(key.length / 5));
    near.sort((left, right) => Math.abs(left.key.length - key.length) - Math.abs(right.key.length - key.length));
    for (const alert of near.slice(0, 400)) {
      const wrong = edits(key, alert.key, most);
      if (wrong <= most) hits(alert, 700 - wrong * 30);
      else if (key.length >= 5) {
        const part = edits(key, alert.key.slice(0, key.length), most);
        if (part <= most) hits(alert, 560 - part * 30);
        else if (subsequence(key, alert.key)) hits(alert, 450 - Math.min(100, alert.key.length - key.length));
      }
    }
  };

  const byWords = (query, hitSop, hitAlert) => {
    const plain = low(query).replace(/\s+/g, " ").trim();
    let asked = plain.split(/[^\p{L}\p{N}_.-]+/u).filter((word) => word && !COMMON.has(word)).slice(0, 24);
    asked = asked.flatMap((word) => (HAN.test(word) && word.length > 3 ? pairs(word) : [word]));
    if (!asked.length || (plain.length < 2 && !HAN.test(plain))) return;
    const known = asked.map((word) => {
      if (HAN.test(word) || word.length < 4 || asked.length > 6) return word;
      if (sops.some((sop) => sop.text.includes(word)) || alerts.some((alert) => alert.text.includes(word))) return word;
      return meant(word) || word;
    });
    // Chinese is cut into pairs, and most pairs of a sentence are no words: fewer of them have to be there.
    const cut = known.filter((word) => HAN.test(word)).length > known.length / 2;
    const enough = known.length <= 2 ? known.length : cut ? Math.max(2, Math.ceil(known.length * 0.25)) : Math.ceil(known.length * 0.6);
    for (const sop of sops) {
      if (plain.length > 1 && sop.head.includes(plain)) { hitSop(sop, 800, say("title", "标题")); continue; }
      if (plain.length > 1 && sop.text.includes(plain)) { hitSop(sop, sop.codeText.includes(plain) ? 880 : 690, sop.codeText.includes(plain) ? say("error code", "错误码") : say("symptom", "现象")); continue; }
      let held = 0, headed = 0;
      for (const word of known) if (sop.text.includes(word)) { held += 1; if (sop.head.includes(word)) headed += 1; }
      if (held >= enough) hitSop(sop, 400 + (200 * held) / known.length + 10 * headed, say("symptom", "现象"));
    }
    if (known.length <= 8) {
      for (const alert of alerts) {
        let held = 0;
        for (const word of known) if (alert.text.includes(word)) held += 1;
        if (held >= enough && held > 0) hitAlert(alert, 420 + (200 * held) / known.length - Math.min(40, alert.key.length / 2));
      }
    }
  };
  const pairs = (word) => Array.from({ length: word.length - 1 }, (_, at) => word.slice(at, at + 2));

  // In: what was typed. Out: the best answers, one per SOP (or per alert that has none), best first.
  const find = (typed) => {
    const query = typed.trim().slice(0, 8000);
    const found = new Map();
    const put = (key, make, score) => {
      let row = found.get(key);
      if (!row) { row = make(); found.set(key, row); }
      if (score > row.score) row.score = score;
      return row;
    };
    const hitSop = (sop, score, why) => {
      const row = put(sop.id, () => ({ sop, alerts: [], score: 0, why: "" }), score);
      if (score === row.score) row.why = why;
    };
    const hitAlert = (alert, score) => {
      const sop = alert.sop >= 0 ? sops[alert.sop] : null;
      const row = put(sop ? sop.id : `a/${alert.name}/${alert.service}`, () => ({ sop, alerts: [], score: 0, why: "" }), score);
      row.alerts.push([score, alert]);
      if (score === row.score) row.why = say("alert", "告警");
    };
    const key = tight(query);
    for (const sop of sops) {
      if (key.length > 2 && sop.key === key) hitSop(sop, 1000, "SOP");
      else if (key.length > 2 && sop.key.includes(key)) hitSop(sop, 820, "SOP");
    }
    if (query.length <= 120) byName(query, hitAlert);
    else {
      const line = query.slice(0, 4000);
      for (const alert of alerts) if (alert.key.length >= 8 && line.includes(alert.name)) hitAlert(alert, 760);
    }
    byLog(query, hitSop, performance.now() + 25);
    // A line that a pattern knows is answered; its words (a date, a host) would only add noise.
    const known = [...found.values()].some((row) => row.score >= 600 && row.why === say("log line", "日志"));
    if (query.length <= 400 && !(known && query.length > 40)) byWords(query, hitSop, hitAlert);
    // The name of an alert that nobody compiled here: its words may be a title's.
    if (!found.size && query.length <= 120 && spaced(query) !== query) byWords(spaced(query), hitSop, hitAlert);
    const rows = [...found.values()];
    for (const row of rows) {
      row.alerts.sort((left, right) => right[0] - left[0] || (left[1].name < right[1].name ? -1 : 1));
      row.severity = row.sop ? row.sop.severity : row.alerts[0][1].severity;
      row.rank = row.score - 2 * (urgency.get(row.severity) ?? 5) - (row.sop && /retired/.test(row.sop.status) ? 300 : 0);
    }
    rows.sort((left, right) => right.rank - left.rank || (left.sop ? left.sop.id : "") .localeCompare(right.sop ? right.sop.id : ""));
    return rows;
  };

  // ---- showing -------------------------------------------------------------------------------------------------------------------

  const fromDisk = location.protocol === "file:";
  // An offline pack names files, not folders; its navigation shows which it is.
  const files = holder.dataset.links === "files" || Boolean(document.querySelector('.md-nav a[href$=".html"]:not([href*=":"])'));
  const page = (path, search, anchor) => {
    const folder = path.startsWith("a/") || !files;
    return path + (!folder ? ".html" : fromDisk ? "/index.html" : "/") + (search || "") + (anchor ? `#${anchor}` : "");
  };
  // `search` is what the address says of an alert; a function where the name in it was only near, and the found one takes its place.
  const sopLink = (sop, alert, search) => {
    const said = typeof search === "function" ? search(alert) : search;
    return page(`sop/${sop.id}`, said ?? (alert ? `?alert=${encodeURIComponent(alert.name)}` : ""), alert && alert.anchor);
  };
  const stubLink = (alert, search) => page(`a/${alert.folder.split("/").map(encodeURIComponent).join("/")}`, search);

  const badge = (severity) => make("span", { className: `tocsin-severity tocsin-urgency-${urgency.get(severity) ?? 9}` }, severity || "?");

  const item = (row, search) => {
    const alert = row.alerts.length ? row.alerts[0][1] : null;
    const led = alert && row.why === say("alert", "告警") ? alert : null;
    const title = row.sop ? (chinese && row.sop.zhTitle) || row.sop.title : alert.name;
    const link = make("a", { className: "tocsin-answer", href: row.sop ? sopLink(row.sop, led, search) : stubLink(alert, typeof search === "function" ? "" : search) }, title);
    const facts = make("p", { className: "tocsin-answer-facts" }, badge(row.severity), " ");
    const services = row.sop && row.sop.services.length ? row.sop.services : [alert ? alert.service : ""];
    facts.append([row.sop ? row.sop.id : say("no SOP", "无 SOP"), ...services, row.sop ? row.sop.owner : "", row.sop ? row.sop.status : ""].filter(Boolean).join(" · "));
    const node = make("li", {}, link, facts);
    if (row.alerts.length && row.sop) {
      node.append(make("p", { className: "tocsin-answer-alerts" }, say("Alert ", "告警 "),
        row.alerts.slice(0, 3).map(([, each]) => each.name).filter((name, at, all) => all.indexOf(name) === at).join(", "),
        row.alerts.length > 3 ? say(` and ${row.alerts.length - 3} more`, `等 ${row.alerts.length} 个`) : ""));
    }
    if (row.sop && row.sop.step) node.append(make("p", { className: "tocsin-answer-step" }, make("strong", {}, say("First: ", "第一步：")), row.sop.step));
    return node;
  };

  const nothing = (query) => {
    const box = make("section", { className: "tocsin-nothing" });
    box.setAttribute("aria-label", say("When nothing matches", "没有匹配时"));
    box.append(make("p", {}, make("strong", {}, say("Not it? Call somebody; do not search alone for long.", "都不是？先联系人，不要独自长时间查找。"))));
    if ((data.call || []).length) {
      const list = make("ul", {});
      for (const [severity, who, within] of data.call) {
        list.append(make("li", {}, badge(severity), ` ${who}`, within ? say(`, within ${within}`, `，${within} 内`) : ""));
      }
      box.append(list);
    }
    if (/^https?:\/\//.test(data.draft || "")) {
      box.append(make("p", {}, make("a", { className: "tocsin-draft", rel: "noreferrer", href: data.draft + encodeURIComponent(query.slice(0, 300)) },
        say("Write down what you found: start a SOP draft", "记录你的发现：新建 SOP 草稿"))));
    }
    return box;
  };

  const form = holder.querySelector("form") || holder.appendChild(make("form", {}));
  form.setAttribute("role", "search");
  let input = form.querySelector("input");
  if (!input) {
    input = make("input", { type: "search", id: "tocsin-find-input" });
    form.append(make("label", { htmlFor: "tocsin-find-input" }, say("Alert, symptom, error code or log line", "告警、现象、错误码或日志行")), input);
  }
  Object.assign(input, { autocomplete: "off", spellcheck: false });
  input.setAttribute("autocapitalize", "off");
  input.setAttribute("aria-controls", "tocsin-answers");
  const status = make("p", { className: "tocsin-find-status" });
  status.setAttribute("role", "status");
  const answers = make("ol", { className: "tocsin-answers", id: "tocsin-answers" });
  const rest = make("div", {});
  holder.append(status, answers, rest);

  const show = (rows, query, search, words) => {
    answers.replaceChildren(...rows.slice(0, 12).map((row) => item(row, search)));
    rest.replaceChildren(...(query ? [nothing(query)] : []));
    status.textContent = words !== undefined ? words : !query ? "" : rows.length
      ? say(`${rows.length} found${rows.length > 12 ? ", the best 12 shown" : ""}`, `找到 ${rows.length} 条${rows.length > 12 ? "，显示前 12 条" : ""}`)
      : say("Nothing matches.", "没有匹配。");
    holder.classList.toggle("tocsin-finding", Boolean(query));
  };

  const run = () => {
    const from = performance.now();
    const query = input.value;
    show(query.trim() ? find(query) : [], query.trim());
    holder.dataset.took = (performance.now() - from).toFixed(1);
  };
  let waiting = 0;
  input.addEventListener("input", () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(run); });
  // A pasted log is several lines and the box is one: a break between lines is a space, not nothing.
  input.addEventListener("paste", (event) => {
    const text = event.clipboardData && event.clipboardData.getData("text/plain");
    if (!text || !/[\r\n]/.test(text)) return;
    event.preventDefault();
    input.setRangeText(text.replace(/\s*[\r\n]+\s*/g, " ").trim(), input.selectionStart, input.selectionEnd, "end");
    run();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run();
    const first = answers.querySelector("a");
    if (first) first.click();
  });
  holder.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp" && event.key !== "Escape") return;
    const links = [...holder.querySelectorAll(".tocsin-answer, .tocsin-draft")];
    const at = links.indexOf(document.activeElement);
    if (event.key === "Escape") { input.value = ""; run(); input.focus(); } else if (event.key === "ArrowDown" && at + 1 < links.length) links[at + 1].focus();
    else if (event.key === "ArrowUp" && at === 0) input.focus();
    else if (event.key === "ArrowUp" && at > 0) links[at - 1].focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  // Here `/` means this box; elsewhere the theme gives it to full-text search.
  window.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || /^(?:INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    input.focus();
  }, true);

  // ---- opened from an alert ------------------------------------------------------------------------------------------------------

  const given = new URLSearchParams(location.search);
  const name = given.get("alert");
  const arrive = () => {
    if (name === null || !name.trim()) return;
    const search = `?${given.toString()}`;
    let named = alerts.filter((alert) => alert.name === name.trim());
    if (!named.length) named = alerts.filter((alert) => alert.name.toLowerCase() === name.trim().toLowerCase());
    const marks = new Map((data.marks || []).map(([severity, label, value]) => [severity, low(given.get(label)) === low(value)]));
    const service = low(given.get("service"));
    for (const fits of [
      (alert) => service && low(alert.service) === service,
      (alert) => low(given.get("severity")) === low(alert.severity) && alert.severity,
      (alert) => marks.get(alert.severity),
    ]) {
      const narrower = named.filter(fits);
      if (narrower.length) named = narrower;
    }
    const places = new Map(named.map((alert) => [`${alert.sop}#${alert.anchor}#${alert.sop < 0 ? alert.name : ""}`, alert]));
    if (places.size === 1) {
      const [alert] = places.values();
      location.replace(alert.sop >= 0 ? sopLink(sops[alert.sop], alert, search) : stubLink(alert, search));
      return;
    }
    input.value = name;
    if (places.size > 1) {
      const rows = [...places.values()].map((alert) => ({ sop: alert.sop >= 0 ? sops[alert.sop] : null, alerts: [[1000, alert]], score: 1000, why: say("alert", "告警"), severity: alert.severity }));
      show(rows, name, search, say(`${rows.length} alerts are called ${name}: choose.`, `有 ${rows.length} 个告警名为 ${name}，请选择。`));
    } else {
      const rows = find(name);
      // The labels fill the placeholders of the page that is chosen, whatever its alert is called.
      const near = (alert) => {
        const labels = new URLSearchParams(given);
        labels.delete("alert");
        if (alert) labels.set("alert", alert.name);
        const said = labels.toString();
        return said && `?${said}`;
      };
      show(rows, name, near, rows.length ? say(`No alert is called ${name}. These come near:`, `没有名为 ${name} 的告警，相近的有：`)
        : say(`No alert is called ${name}, and nothing comes near.`, `没有名为 ${name} 的告警，也没有相近的。`));
    }
  };
  window.TOCSIN_FIND = find;
  arrive();
  if (name === null && input.value.trim()) run();
  (window.requestIdleCallback || setTimeout)(() => { studied(); vocabulary(); });
})();
