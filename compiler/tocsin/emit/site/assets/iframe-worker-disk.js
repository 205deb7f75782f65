// A page opened from disk may not start a worker from a file. A worker made of a few words that loads the file itself may.
// (The theme's offline mode asks for a script of this name, and would otherwise load one from the network.)
(function () {
  "use strict";
  if (location.protocol !== "file:" || !window.Worker) {
    return;
  }
  var Real = window.Worker;
  window.Worker = function (address) {
    var url = new URL(String(address), location.href).href;
    var text = "importScripts(" + JSON.stringify(url) + ");";
    return new Real(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
  };
})();
