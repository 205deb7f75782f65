// A page opened from disk may not start a worker. This one runs a worker's script in an empty frame instead and passes its messages on.
// The theme's offline mode looks for a script with `iframe-worker` in its name, and would load one from the network if there were none.
// Nothing is written into the frame as text, so the page's policy against inline scripts holds there too.
(function () {
  "use strict";
  if (location.protocol !== "file:") {
    return;
  }
  function FrameWorker(address) {
    var worker = this;
    var waiting = [];
    var ready = false;
    var target = document.createElement("p");
    var frame = document.createElement("iframe");
    frame.hidden = true;
    frame.title = "search";
    document.body.appendChild(frame);
    var inside = frame.contentWindow;

    function load(source) {
      return new Promise(function (done, failed) {
        var script = inside.document.createElement("script");
        script.src = new URL(String(source), location.href).href;
        script.onload = done;
        script.onerror = failed;
        inside.document.body.appendChild(script);
      });
    }
    function give(data) {
      inside.dispatchEvent(new inside.MessageEvent("message", { data: data }));
    }
    inside.importScripts = function () {
      return Array.prototype.slice.call(arguments).reduce(function (before, source) {
        return before.then(function () {
          return load(source);
        });
      }, Promise.resolve());
    };
    inside.postMessage = function (data) {
      setTimeout(function () {
        var event = new MessageEvent("message", { data: data });
        target.dispatchEvent(event);
        if (worker.onmessage) {
          worker.onmessage(event);
        }
      }, 0);
    };
    worker.postMessage = function (data) {
      if (ready) {
        give(data);
      } else {
        waiting.push(data);
      }
    };
    worker.addEventListener = target.addEventListener.bind(target);
    worker.removeEventListener = target.removeEventListener.bind(target);
    worker.dispatchEvent = target.dispatchEvent.bind(target);
    worker.terminate = function () {
      frame.remove();
    };
    load(address).then(function () {
      ready = true;
      waiting.splice(0).forEach(give);
    });
  }
  window.IFrameWorker = FrameWorker; // the theme's worker asks its parent for this name
  window.Worker = FrameWorker;
})();
