// Draws the flows without a network and without costing pages that have none.
// The theme asks for `window.mermaid` and would fetch it from a public host if it were missing. This stands in its place and loads the
// copy that ships with the site when the first diagram is drawn. The settings that keep a diagram from doing anything are put in last.
(() => {
  "use strict";
  const address = new URL("mermaid.min.js", document.currentScript.src).href;
  let settings = {};
  let loading = null;

  const load = () => {
    loading = loading || new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = address;
      script.onload = () => {
        const real = window.mermaid;
        window.mermaid = stand;
        real.initialize(Object.assign({}, settings, {
          startOnLoad: false,
          securityLevel: "strict",
          theme: "neutral",
          // On a phone the picture is as wide as the page: less room between its parts leaves more for their words.
          flowchart: Object.assign({}, settings.flowchart, innerWidth < 600 ? { nodeSpacing: 14, rankSpacing: 24, padding: 6, wrappingWidth: 110, diagramPadding: 2 } : {}),
          fontFamily: "inherit",
          maxTextSize: 20000,
          maxEdges: 300,
          deterministicIds: true,
          // What a diagram's own text may not change.
          secure: ["secure", "securityLevel", "startOnLoad", "maxTextSize", "maxEdges", "suppressErrorRendering",
            "theme", "themeCSS", "themeVariables", "fontFamily", "altFontFamily", "htmlLabels", "flowchart", "dompurifyConfig"],
          suppressErrorRendering: true,
        }));
        done(real);
      };
      script.onerror = () => failed(new Error("mermaid.min.js is not beside mermaid-lazy.js"));
      document.head.append(script);
    });
    return loading;
  };

  // A diagram that cannot be drawn leaves a line that says so; its source and the sentence beside it are on the page anyway.
  const apology = () => {
    const chinese = (document.documentElement.lang || "").startsWith("zh");
    const words = chinese ? "无法绘制此图，请看下面的文字。" : "This diagram could not be drawn; its text is below.";
    return {
      svg: `<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 400 40" width="100%" style="max-width:400px">` +
        `<text x="8" y="26" font-size="15" fill="currentColor">${words}</text></svg>`,
    };
  };

  // `@{ img: ... }` fetches its picture while it is drawn. Such a node keeps its name and loses what stands between the braces.
  // A label that looks like markup is made into an element on the way to being cleaned, and an element fetches: it becomes letters first.
  const plain = (given) => {
    const text = given.replace(/<(?=[a-z/!?])(?!br\s*\/?>)/gi, "#lt;");
    let out = "";
    for (let at = 0; at < text.length; at += 1) {
      if (!text.startsWith("@{", at)) { out += text[at]; continue; }
      let end = at + 2;
      for (let quote = ""; end < text.length && (quote || text[end] !== "}"); end += 1) {
        if (quote) { if (text[end] === "\\") end += 1; else if (text[end] === quote) quote = ""; } else if (/["']/.test(text[end])) quote = text[end];
      }
      const inside = text.slice(at, end + 1);
      if (!/img|icon|\\/i.test(inside)) out += inside;
      at = end;
    }
    return out;
  };

  const stand = {
    initialize: (given) => { settings = given || {}; },
    render: (id, text) => load().then((real) => real.render(id, plain(text))).catch((problem) => {
      console.warn("tocsin: a diagram was not drawn:", problem && problem.message);
      return apology();
    }),
  };
  window.mermaid = stand;
})();
