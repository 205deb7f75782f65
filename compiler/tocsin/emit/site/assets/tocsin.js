// What a page does beyond being read: copy a command, fill its placeholders, wrap its lines, say what is overdue.
// Every page works without this file. Whatever comes from the page or its address is text: nothing here makes markup of it.
(() => {
  "use strict";
  const chinese = (document.documentElement.lang || "").toLowerCase().startsWith("zh");
  const say = (english, zh) => (chinese ? zh : english);
  const make = (name, properties, ...children) => {
    const node = Object.assign(document.createElement(name), properties || {});
    node.append(...children);
    return node;
  };
  const remember = (key, value) => {
    try {
      if (value === undefined) return localStorage.getItem(key);
      localStorage.setItem(key, value);
    } catch (_) { /* a page opened from disk may have no storage */ }
    return null;
  };

  // ---- what is copied ------------------------------------------------------------------------------------------------------------

  // The same prompts as the check of `check/shell.py` knows: of a shell on a host, of a shell alone, of a database's client.
  const HOST = String.raw`(?:\([\w.-]+\)[ ]*)?(?:\[[\w.-]+@[\w.-]+[^\]]{0,80}\]|[\w.-]+@[\w.-]+(?:[:~ /][^#$%]{0,80})?|(?:sh|bash|zsh|ash)-\d[\d.]*)`;
  const PROMPT = new RegExp(String.raw`^[ \t]*(?:(?:\([\w.-]+\)[ ]*)?\$ +|% +|${HOST}[$%] +|\[[\w.-]+@[^\]]{0,80}\][$%])(?=\S)`);
  const ROOT_PROMPT = new RegExp(String.raw`^(?:${HOST})?# +(?=\S)`);
  const HOST_ROOT_PROMPT = new RegExp(String.raw`^[ \t]*(?:${HOST}# +|\[[\w.-]+@[^\]]{0,80}\]#)(?=\S)`);
  const CLIENT = /^(?:(?:mysql|postgres|psql|redis|mongo|test)> +|MariaDB \[[^\]]{1,60}\]> +|\w{1,40}=[#>] +|[\w.-]+:\d+> +|PS [A-Z]:\\[^>]*> *)(?=\S)/;
  const CLIENT_GOES_ON = /^(?: +-> ?|\w{1,40}[-('"][#>] ?)/;

  // Whether a shell would ask for another line: an open quote, a trailing backslash, pipe or `&&`, a here-document without its end.
  const unfinished = (command) => {
    const heredoc = /<<-?\s*(['"]?)([A-Za-z_]\w*)\1/.exec(command);
    if (heredoc) return !command.split("\n").slice(1).some((line) => line.trim() === heredoc[2]);
    let quote = "";
    for (let at = 0; at < command.length; at += 1) {
      const character = command[at];
      if (character === "\\" && quote !== "'") { at += 1; if (at === command.length) return true; continue; }
      if (quote) { if (character === quote) quote = ""; } else if (character === "'" || character === '"') quote = character;
    }
    return Boolean(quote) || /(?:\||&&|\\)\s*$/.test(command);
  };

  // Whether a line is the heading of a table that a program printed: what follows is output, with no prompt to tell it by.
  const isTable = (line) => {
    const columns = line.trim().split(/ {2,}|\t+/);
    return columns.length > 2 && columns.every((each) => /^[A-Z][A-Z0-9_()%/ -]*$/.test(each));
  };

  // What was typed at prompts of a database's client; a shell's among them count too.
  const ofClient = (lines) => {
    const typed = [];
    for (const line of lines) {
      const prompt = CLIENT.exec(line) || PROMPT.exec(line) || HOST_ROOT_PROMPT.exec(line);
      const more = typed.length && !prompt ? CLIENT_GOES_ON.exec(line) : null;
      if (prompt || more) typed.push(line.slice((prompt || more)[0].length));
    }
    return typed.join("\n");
  };

  // The commands of a block. In a session, what has a prompt (and what continues it) stays and loses the prompt; the rest is output.
  const commandsOf = (text, language) => {
    const whole = text.replace(/\s+$/, "");
    const session = /^(?:console|shell-session|shellsession|sh-session|terminal)$/.test(language);
    const lines = whole.split("\n");
    if ((session || /^(?:sql|mysql|psql|redis|powershell|pwsh)$/.test(language)) && lines.some((line) => CLIENT.test(line))) return ofClient(lines);
    const shell = session || /^(?:bash|sh|shell|zsh)$/.test(language);
    const user = lines.some((line) => PROMPT.test(line));
    if (!shell) return whole;
    if (!user && !session && !lines.some((line) => HOST_ROOT_PROMPT.test(line))) {
      const end = lines.findIndex((line, at) => at > 0 && isTable(line));
      const typed = lines.slice(0, Math.max(end, 0)).join("\n").trimEnd();
      return typed && !unfinished(typed) ? typed : whole;
    }
    const root = user ? HOST_ROOT_PROMPT : session ? ROOT_PROMPT : HOST_ROOT_PROMPT;
    const commands = [];
    let open = false;
    for (const line of lines) {
      const prompt = PROMPT.exec(line) || root.exec(line);
      if (open) commands[commands.length - 1] += "\n" + line.replace(/^> ?/, "");
      else if (prompt) commands.push(line.slice(prompt[0].length));
      else continue;
      open = unfinished(commands[commands.length - 1]);
    }
    return commands.length ? commands.join("\n") : whole;
  };

  const put = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch (_) { // no clipboard where the page is not served securely: the old way
      const area = make("textarea", { value: text, readOnly: true, className: "tocsin-offscreen" });
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  };

  const blocks = () => [...document.querySelectorAll(".md-typeset div.highlight, .md-typeset pre.tocsin-code")]
    .map((box) => ({ box, code: box.querySelector("code") }))
    .filter(({ box, code }) => code && !box.closest("table.highlighttable .linenos, .mermaid"));
  const languageOf = (box) => (/(?:^|\s)language-(\S+)/.exec(box.className) || ["", ""])[1].toLowerCase();
  const isOutput = (box) => box.matches(".tocsin-output, .language-output, .language-text, .language-mermaid") ||
    Boolean(box.querySelector(".tocsin-output"));

  const wrapping = (on) => {
    document.documentElement.classList.toggle("tocsin-wrap", on);
    for (const button of document.querySelectorAll(".tocsin-wrap-button")) button.setAttribute("aria-pressed", String(on));
  };

  const bars = () => {
    let number = 0;
    for (const { box, code } of blocks()) {
      const scroller = code.closest("pre") || code;
      const bar = make("div", { className: "tocsin-bar" });
      const wrap = make("button", { type: "button", className: "tocsin-button tocsin-wrap-button" }, say("Wrap", "换行"));
      wrap.title = say("Wrap long lines, here and on every page", "长行自动换行（所有页面）");
      wrap.addEventListener("click", () => {
        const on = wrap.getAttribute("aria-pressed") !== "true";
        remember("tocsin.wrap", on ? "1" : "0");
        wrapping(on);
      });
      const wide = () => { wrap.hidden = code.scrollWidth <= code.clientWidth + 1 && wrap.getAttribute("aria-pressed") !== "true"; };
      bar.append(wrap);
      if (!isOutput(box)) {
        number += 1;
        const copy = make("button", { type: "button", className: "tocsin-button tocsin-copy" }, say("Copy", "复制"));
        copy.setAttribute("aria-label", say(`Copy command ${number}`, `复制第 ${number} 条命令`));
        copy.addEventListener("click", async () => {
          const done = await put(commandsOf(code.textContent, languageOf(box)));
          copy.textContent = done ? say("Copied", "已复制") : say("Select it by hand", "请手动选择");
          announce(copy.textContent);
          setTimeout(() => { copy.textContent = say("Copy", "复制"); }, 1500);
        });
        bar.append(copy);
      }
      box.classList.add("tocsin-has-bar");
      box.prepend(bar);
      wide();
      new ResizeObserver(wide).observe(scroller);
    }
    wrapping(remember("tocsin.wrap") === "1");
  };

  // ---- placeholders --------------------------------------------------------------------------------------------------------------

  // It lands in a shell: it begins with a letter or digit (so it is no option) and holds nothing a shell would obey.
  const SAFE = /^[A-Za-z0-9][A-Za-z0-9._:/@%+,=-]{0,199}$/;
  const OWN = new Set(["PATH", "HOME", "USER", "PWD", "SHELL", "LANG", "TERM", "HOSTNAME", "IFS", "UID", "RANDOM", "EDITOR", "TMPDIR"]);

  const declared = () => {
    const holder = document.querySelector(".tocsin-placeholders[data-map]");
    if (!holder) return {};
    try {
      const map = JSON.parse(holder.dataset.map);
      return map && typeof map === "object" && !Array.isArray(map) ? map : {};
    } catch (_) { return {}; }
  };

  const WRITTEN = /\$\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)|<([A-Za-z_][\w-]*)>/g;

  // Names a block sets itself are its own variables, not holes to fill.
  const setIn = (text, name) =>
    new RegExp(`(?:^|[\\s;(])(?:export\\s+|local\\s+|declare\\s+)?${name}=|\\bfor\\s+${name}\\s+in\\b|\\bread\\s+(?:-\\w+\\s+)*${name}\\b`)
      .test(text);

  const placeholders = () => {
    const map = declared();
    const asked = new Map();
    for (const [key, value] of new URLSearchParams(location.search)) if (!asked.has(key.toLowerCase())) asked.set(key.toLowerCase(), value);
    const commands = blocks().filter(({ box }) => !isOutput(box));
    const originals = commands.map(({ code }) => [...code.childNodes].map((each) => each.cloneNode(true)));
    const texts = commands.map(({ code }) => code.textContent);

    const labels = new Map(Object.entries(map).map(([name, label]) => [name, String(label || name)]));
    for (const text of texts) {
      for (const found of text.matchAll(WRITTEN)) {
        const name = found[1] || found[2] || found[3];
        if (!labels.has(name) && /^[A-Z][A-Z0-9_]*$/.test(name) && !OWN.has(name) && asked.has(name.toLowerCase())) {
          labels.set(name, name.toLowerCase());
        }
      }
    }
    if (!labels.size) return;

    const values = new Map();
    const refused = [];
    for (const [name, label] of labels) {
      const value = asked.get(label.toLowerCase()) ?? asked.get(name.toLowerCase());
      if (value === undefined || value === "") continue;
      if (SAFE.test(value)) values.set(name, value); else refused.push(label);
    }

    const fill = () => commands.forEach(({ code }, index) => {
      code.replaceChildren(...originals[index].map((each) => each.cloneNode(true)));
      const text = texts[index];
      const found = [...text.matchAll(WRITTEN)].filter((each) => {
        const name = each[1] || each[2] || each[3];
        return values.has(name) && (name in map || !setIn(text, name));
      });
      for (const each of found.reverse()) replace(code, each.index, each[0], values.get(each[1] || each[2] || each[3]));
    });

    const notice = make("p", { className: "tocsin-fill-notice" });
    notice.setAttribute("role", "status");
    const tell = () => {
      notice.replaceChildren();
      const filled = [...values.keys()];
      if (filled.length) notice.append(say("Filled into the commands: ", "已填入命令："), filled.map((each) => `${each} = ${values.get(each)}`).join(", "), say(". ", "。"));
      if (refused.length) {
        notice.append(make("strong", {}, say("Not filled: ", "未填入："), refused.join(", ")),
          say(" (the value has characters that a shell would obey).", "（值中含有 shell 会执行的字符）。"));
      }
      notice.classList.toggle("tocsin-refused", refused.length > 0);
    };

    const form = make("form", { className: "tocsin-fill" });
    form.setAttribute("aria-label", say("Values for the commands on this page", "本页命令中的值"));
    for (const [name, label] of labels) {
      const input = make("input", { type: "text", name, value: values.get(name) || "", spellcheck: false, autocomplete: "off", maxLength: 200 });
      input.setAttribute("autocapitalize", "off");
      input.addEventListener("input", () => {
        const at = refused.indexOf(label);
        if (at >= 0) refused.splice(at, 1);
        values.delete(name);
        if (SAFE.test(input.value)) values.set(name, input.value);
        else if (input.value) refused.push(label);
        input.setAttribute("aria-invalid", String(Boolean(input.value) && !SAFE.test(input.value)));
        fill();
        tell();
      });
      form.append(make("label", {}, make("code", {}, `$${name}`), label.toLowerCase() === name.toLowerCase() ? "" : ` ${label}`, input));
    }
    form.append(notice);
    form.addEventListener("submit", (event) => event.preventDefault());
    const place = document.querySelector(".tocsin-placeholders") || document.querySelector(".tocsin-facts") || document.querySelector(".md-content h1");
    if (place) place.after(form); else document.querySelector(".md-content__inner")?.prepend(form);
    fill();
    tell();
  };

  // Puts a marked value where `length` characters from `start` stood, however many coloured pieces they are in.
  const replace = (code, start, written, value) => {
    const walker = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
    let at = 0;
    let placed = false;
    const end = start + written.length;
    const nodes = [];
    while (walker.nextNode()) nodes.push(walker.currentNode);
    for (const node of nodes) {
      const length = node.data.length;
      const from = Math.max(start - at, 0);
      const to = Math.min(end - at, length);
      at += length;
      if (from >= to) continue;
      const rest = node.splitText(from);
      rest.splitText(to - from);
      if (placed) rest.remove();
      else {
        rest.replaceWith(make("mark", { className: "tocsin-filled", title: written }, value));
        placed = true;
      }
    }
  };

  // ---- dates, places, keys -------------------------------------------------------------------------------------------------------

  const overdue = () => {
    const now = new Date();
    const today = `${now.getFullYear()}-${String(now.getMonth() + 1).padStart(2, "0")}-${String(now.getDate()).padStart(2, "0")}`;
    for (const due of document.querySelectorAll("time.tocsin-due[datetime]")) {
      if (due.getAttribute("datetime").slice(0, 10) >= today) continue;
      due.classList.add("tocsin-overdue");
      due.append(" ", make("strong", {}, say("overdue", "已逾期")));
    }
  };

  // How old this copy is: what matters most in a pack that lies on a disk.
  const age = () => {
    for (const built of document.querySelectorAll("time.tocsin-built[datetime]")) {
      const days = Math.floor((Date.now() - Date.parse(built.getAttribute("datetime"))) / 86400000);
      if (days > 0) built.append(say(days === 1 ? " (a day old)" : ` (${days} days old)`, `（${days} 天前）`));
    }
  };

  const alertRow = () => {
    const name = new URLSearchParams(location.search).get("alert");
    if (!name) return;
    for (const row of document.querySelectorAll("[data-alert]")) {
      if (row.dataset.alert.toLowerCase().split(/\s+/).includes(name.toLowerCase())) row.classList.add("tocsin-here");
    }
  };

  const voice = make("div", { className: "tocsin-offscreen" });
  voice.setAttribute("aria-live", "polite");
  const announce = (text) => { voice.textContent = text; };

  // Names the theme leaves out, for those who listen to the page.
  const names = () => {
    const search = document.querySelector("[data-md-component=search]");
    if (search) search.setAttribute("aria-label", say("Full-text search", "全文搜索"));
    for (const scroller of document.querySelectorAll(".md-typeset__scrollwrap, .md-typeset pre > code")) {
      if (!scroller.hasAttribute("tabindex") && scroller.scrollWidth > scroller.clientWidth) scroller.tabIndex = 0;
    }
  };

  // On a narrow screen a row becomes a paragraph; each cell then says which column it was. The roles stay those of a table.
  const tables = () => {
    for (const table of document.querySelectorAll(".md-typeset table:not([class])")) {
      const heads = [...table.querySelectorAll("thead th")];
      for (const head of heads) if (!head.hasAttribute("scope")) head.setAttribute("scope", "col");
      if (heads.length < 3) continue;
      table.dataset.tocsinStack = "";
      table.setAttribute("role", "table");
      for (const part of table.querySelectorAll("thead, tbody")) part.setAttribute("role", "rowgroup");
      for (const row of table.querySelectorAll("tr")) row.setAttribute("role", "row");
      for (const head of heads) head.setAttribute("role", "columnheader");
      for (const row of table.querySelectorAll("tbody tr")) {
        [...row.children].forEach((cell, index) => {
          cell.setAttribute("role", "cell");
          if (!cell.textContent.replace(/[\s\u200b]/g, "") && !cell.querySelector("img, svg")) cell.dataset.empty = "";
          if (index > 0 && heads[index] && heads[index].textContent.trim()) cell.dataset.label = heads[index].textContent.trim();
        });
      }
    }
  };

  const start = () => {
    document.body.append(voice);
    tables();
    bars();
    placeholders();
    overdue();
    age();
    alertRow();
    names();
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start); else start();
})();
