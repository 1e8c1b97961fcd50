// Draws what the server of lamina_playground() sends: the network, its output over the plane, the losses.
(function () {
  "use strict";

  var INK = {
    positive: [0, 114, 178], negative: [213, 94, 0], white: [255, 255, 255],
    text: "#1F2933", faint: "#5F6B76", line: "#CBD2D9", train: "#1F2933", test: "#A3336F"
  };
  var FONT = "12px system-ui, sans-serif";
  var ENDS = ["Inputs", "Output"];
  var NAMES = { ready: "Ready. Press Play.", playing: "Playing", paused: "Paused", failed: "Stopped" };
  var MAX_CURVE = 1200;

  var setup = null;   // what stays the same until the next reset
  var frame = null;   // the latest picture
  var curve = [];     // {time, train, test}
  var chosen = 1;     // the sample of the tables, from 1
  var shapes = [];    // what a pointer can be on in the network: {text, distance(x, y)}
  var spoken = "";

  function byId(id) { return document.getElementById(id); }

  function rgb(c, alpha) { return "rgba(" + c[0] + "," + c[1] + "," + c[2] + "," + (alpha === undefined ? 1 : alpha) + ")"; }

  // From orange over white to blue; values from -1 to 1.  strength: how far the ends are from white.
  function colour(value, strength) {
    var end = value < 0 ? INK.negative : INK.positive, t = Math.min(1, Math.abs(value)) * strength;
    return INK.white.map(function (w, i) { return Math.round(w + (end[i] - w) * t); });
  }

  function show(value) {
    if (value === null || value === undefined || !isFinite(value)) { return "\u2013"; }
    return Math.abs(value) >= 1000 || (value !== 0 && Math.abs(value) < 0.001) ? value.toExponential(1) : value.toFixed(3);
  }

  // A canvas as large as its box, measured in the page's pixels whatever those of the screen are.
  function prepare(id, height) {
    var canvas = byId(id), box = canvas.parentNode, width = Math.floor(box.clientWidth);
    var ratio = window.devicePixelRatio || 1;
    if (width < 10) { return null; }
    var tall = Math.floor(height(width));
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(tall * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(tall * ratio);
      canvas.style.width = width + "px";
      canvas.style.height = tall + "px";
    }
    var pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, tall);
    pen.font = FONT;
    return { pen: pen, width: width, height: tall };
  }

  // "00" is -1, "7f" is 0, "fe" is 1
  function pixelValues(text) {
    var n = text.length / 2, out = new Float32Array(n);
    for (var i = 0; i < n; i++) { out[i] = parseInt(text.substr(2 * i, 2), 16) / 127 - 1; }
    return out;
  }

  // Pixels run along the first input, from below upwards along the second.
  function picture(values, side, strength) {
    var canvas = document.createElement("canvas");
    canvas.width = canvas.height = side;
    var pen = canvas.getContext("2d"), data = pen.createImageData(side, side);
    for (var i = 0; i < values.length; i++) {
      var at = 4 * ((side - 1 - Math.floor(i / side)) * side + i % side), c = colour(values[i], strength);
      data.data[at] = c[0]; data.data[at + 1] = c[1]; data.data[at + 2] = c[2]; data.data[at + 3] = 255;
    }
    pen.putImageData(data, 0, 0);
    return canvas;
  }

  // ---- the output over the plane ------------------------------------------------------------------

  function mapPlace(width) {
    var left = 30, size = width - left - 8;
    return {
      left: left, top: 6, size: size,
      x: function (x1) { return left + size * (x1 / setup.reach + 1) / 2; },
      y: function (x2) { return 6 + size * (1 - x2 / setup.reach) / 2; }
    };
  }

  function drawMap() {
    var at = prepare("pg-map", function (width) { return width - 30 - 8 + 6 + 30; });
    if (!at) { return; }
    var pen = at.pen, place = mapPlace(at.width), values = pixelValues(frame.map);
    pen.imageSmoothingEnabled = true;
    pen.drawImage(picture(values, setup.map_side, 0.62), place.left, place.top, place.size, place.size);
    if (setup.classes) { drawBoundary(pen, values, setup.map_side, place); }
    pen.strokeStyle = INK.faint;
    pen.lineWidth = 1;
    pen.strokeRect(place.left, place.top, place.size, place.size);
    pen.fillStyle = INK.text;
    [-1, 0, 1].forEach(function (tick) {
      pen.textAlign = "center"; pen.textBaseline = "top";
      pen.fillText(String(tick), place.x(tick), place.top + place.size + 4);
      pen.textAlign = "right"; pen.textBaseline = "middle";
      pen.fillText(String(tick), place.left - 5, place.y(tick));
    });
    pen.textAlign = "center"; pen.textBaseline = "top";
    pen.fillText("x\u2081", place.x(0.5), place.top + place.size + 4);
    pen.textAlign = "right"; pen.textBaseline = "middle";
    pen.fillText("x\u2082", place.left - 5, place.y(0.5));
    pen.save();
    pen.beginPath(); pen.rect(place.left, place.top, place.size, place.size); pen.clip();
    drawPoints(pen, place, at.width < 300 ? 2.6 : 3.2);
    pen.restore();
  }

  function drawPoints(pen, place, r) {
    var test = new Set(setup.test);
    setup.x1.forEach(function (x1, i) {
      var x = place.x(x1), y = place.y(setup.x2[i]), held = test.has(i + 1), value = setup.target[i];
      var ink = setup.classes ? rgb(value < 0 ? INK.negative : INK.positive) : rgb(colour(value, 1));
      pen.beginPath();
      if (setup.classes ? value < 0 : held) {
        pen.rect(x - 0.88 * r, y - 0.88 * r, 1.76 * r, 1.76 * r);
      } else {
        pen.arc(x, y, r, 0, 2 * Math.PI);
      }
      if (!setup.classes) {
        pen.fillStyle = ink; pen.fill();
        pen.strokeStyle = INK.text; pen.lineWidth = 1; pen.stroke();
      } else if (held) {
        pen.fillStyle = "#FFFFFF"; pen.fill();
        pen.strokeStyle = ink; pen.lineWidth = 1.6; pen.stroke();
      } else {
        pen.fillStyle = ink; pen.fill();
        pen.strokeStyle = "#FFFFFF"; pen.lineWidth = 0.9; pen.stroke();
      }
    });
    if (chosen >= 1 && chosen <= setup.x1.length) {
      pen.beginPath();
      pen.arc(place.x(setup.x1[chosen - 1]), place.y(setup.x2[chosen - 1]), r + 5, 0, 2 * Math.PI);
      pen.strokeStyle = "#FFFFFF"; pen.lineWidth = 5; pen.stroke();
      pen.strokeStyle = INK.text; pen.lineWidth = 2; pen.stroke();
    }
  }

  // The line along which the output is 0, cell by cell between the middles of four pixels.
  function drawBoundary(pen, values, side, place) {
    var step = place.size / side;
    function value(column, row) { return values[row * side + column]; }
    function point(column, row) { return [place.left + (column + 0.5) * step, place.top + place.size - (row + 0.5) * step]; }
    pen.beginPath();
    for (var row = 0; row + 1 < side; row++) {
      for (var column = 0; column + 1 < side; column++) {
        var corners = [[column, row], [column + 1, row], [column + 1, row + 1], [column, row + 1]];
        var crossed = [];
        for (var k = 0; k < 4; k++) {
          var a = corners[k], b = corners[(k + 1) % 4], u = value(a[0], a[1]), v = value(b[0], b[1]);
          if ((u < 0) !== (v < 0)) {
            var share = u / (u - v), p = point(a[0], a[1]), q = point(b[0], b[1]);
            crossed.push([p[0] + share * (q[0] - p[0]), p[1] + share * (q[1] - p[1])]);
          }
        }
        for (var c = 0; c + 1 < crossed.length; c += 2) {
          pen.moveTo(crossed[c][0], crossed[c][1]);
          pen.lineTo(crossed[c + 1][0], crossed[c + 1][1]);
        }
      }
    }
    pen.strokeStyle = INK.text;
    pen.lineWidth = 1.8;
    pen.stroke();
  }

  // ---- the network --------------------------------------------------------------------------------

  function columnName(k, narrow) {
    var last = setup.units.length - 1;
    if (k === 0 || k === last) { return ENDS[k === 0 ? 0 : 1]; }
    return (narrow && last > 3 ? "H" : "Hidden ") + k;
  }

  function drawNetwork() {
    var most = Math.max.apply(null, setup.units);
    // the same for all networks, lest the page jumps when a unit is added; on narrow screens as high as need be
    var at = prepare("pg-network", function (width) { return width > 480 ? 500 : Math.max(220, 50 + 46 * most); });
    if (!at) { return; }
    var pen = at.pen, last = setup.units.length - 1, top = 30;
    var labels = setup.features.map(function (name) { return pen.measureText(name).width; });
    var left = Math.max.apply(null, labels) + 32, right = 26, gapX = (at.width - left - right) / last;
    var gapY = Math.min((at.height - top - 10) / most, 74);
    var size = Math.max(12, Math.min(0.66 * gapY, 0.46 * gapX, 46));
    var middle = top + (at.height - top) / 2;
    var nodes = setup.units.map(function (n, k) {
      var out = [];
      for (var i = 0; i < n; i++) { out.push({ x: left + k * gapX, y: middle + (i - (n - 1) / 2) * gapY }); }
      return out;
    });
    shapes = [];

    frame.weights.forEach(function (layer, k) {
      var from = nodes[k], to = nodes[k + 1];
      var largest = Math.max(1, Math.max.apply(null, layer.kernel.map(Math.abs)));
      var widest = Math.min(7, 0.3 * size);
      layer.kernel.map(function (w, e) { return e; }).sort(function (a, b) {
        return Math.abs(layer.kernel[a]) - Math.abs(layer.kernel[b]);
      }).forEach(function (e) {
        var i = e % from.length, j = Math.floor(e / from.length), w = layer.kernel[e], share = Math.abs(w) / largest;
        var a = { x: from[i].x + size / 2, y: from[i].y }, b = { x: to[j].x - size / 2, y: to[j].y };
        var bend = 0.45 * (b.x - a.x);
        pen.beginPath();
        pen.moveTo(a.x, a.y);
        pen.bezierCurveTo(a.x + bend, a.y, b.x - bend, b.y, b.x, b.y);
        pen.strokeStyle = rgb(w < 0 ? INK.negative : INK.positive, 0.25 + 0.7 * Math.sqrt(share));
        pen.lineWidth = 0.5 + (widest - 0.5) * share;
        pen.stroke();
        shapes.push({
          text: unitName(k, i) + " \u2192 " + unitName(k + 1, j) + ": weight " + show(w), distance: nearCurve(a, b, bend)
        });
      });
    });

    nodes.forEach(function (column, k) {
      pen.fillStyle = INK.text;
      pen.textAlign = "center"; pen.textBaseline = "top";
      pen.font = "bold " + FONT;
      pen.fillText(columnName(k, at.width < 480), Math.min(Math.max(column[0].x, 24), at.width - 24), 6);
      pen.font = FONT;
      column.forEach(function (node, i) {
        var tile = k === 0 ? setup.tiles[i] : k < last ? frame.tiles[k - 1][i] : null;
        var values = tile ? pixelValues(tile) : pixelValues(frame.map);
        var x = node.x - size / 2, y = node.y - size / 2;
        pen.imageSmoothingEnabled = true;
        pen.drawImage(picture(values, tile ? setup.tile_side : setup.map_side, 0.85), x, y, size, size);
        pen.strokeStyle = INK.text; pen.lineWidth = 1.2;
        pen.strokeRect(x, y, size, size);
        if (k === 0) {
          pen.fillStyle = INK.text; pen.textAlign = "right"; pen.textBaseline = "middle";
          pen.fillText(setup.features[i], x - 5, node.y);
        }
        var text = unitName(k, i) + (k === 0 ? "" : ": bias " + show(frame.weights[k - 1].bias[i]));
        shapes.push({ text: text, distance: function (px, py) {
          return Math.abs(px - node.x) <= size / 2 && Math.abs(py - node.y) <= size / 2 ? -1 : Infinity;
        } });
      });
    });
  }

  function unitName(k, i) {
    if (k === 0) { return setup.features[i]; }
    return k === setup.units.length - 1 ? "output" : "hidden " + k + ", unit " + (i + 1);
  }

  function nearCurve(a, b, bend) {
    return function (x, y) {
      var least = Infinity;
      for (var i = 0; i <= 24; i++) {
        var t = i / 24, s = 1 - t;
        var px = s * s * s * a.x + 3 * s * s * t * (a.x + bend) + 3 * s * t * t * (b.x - bend) + t * t * t * b.x;
        var py = (s * s * s + 3 * s * s * t) * a.y + (3 * s * t * t + t * t * t) * b.y;
        least = Math.min(least, Math.hypot(px - x, py - y));
      }
      return least;
    };
  }

  function point(event) {
    var box = event.currentTarget.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  function tell(event) {
    var tip = byId("pg-tip"), p = point(event), best = null, least = 9;
    shapes.forEach(function (shape) {
      var d = shape.distance(p.x, p.y);
      if (d < least) { least = d; best = shape; }
    });
    tip.textContent = best ? best.text : "";
    tip.hidden = !best;
    if (best) {
      var room = event.currentTarget.clientWidth - tip.offsetWidth - 4;
      tip.style.left = Math.max(0, Math.min(p.x + 12, room)) + "px";
      tip.style.top = p.y + 14 + "px";
    }
  }

  // ---- the losses ---------------------------------------------------------------------------------

  function niceStep(span, ticks) {
    var raw = span / ticks, power = Math.pow(10, Math.floor(Math.log10(raw))), lead = raw / power;
    return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
  }

  function drawLoss() {
    var at = prepare("pg-loss", function (width) { return Math.max(130, Math.min(170, 0.45 * width)); });
    if (!at) { return; }
    var pen = at.pen, left = 40, right = 10, top = 8, bottom = 30;
    var wide = at.width - left - right, tall = at.height - top - bottom;
    var highest = 0, end = 1;
    curve.forEach(function (p) { highest = Math.max(highest, p.train, p.test); end = Math.max(end, p.time); });
    highest = highest > 0 ? 1.05 * highest : 1;
    function x(time) { return left + wide * time / end; }
    function y(loss) { return top + tall * (1 - loss / highest); }
    pen.strokeStyle = INK.line; pen.lineWidth = 1; pen.fillStyle = INK.text;
    var step = niceStep(highest, 4), digits = Math.max(0, -Math.floor(Math.log10(step)));
    pen.textAlign = "right"; pen.textBaseline = "middle";
    for (var v = 0; v <= highest; v += step) {
      pen.beginPath(); pen.moveTo(left, y(v)); pen.lineTo(at.width - right, y(v)); pen.stroke();
      pen.fillText(v.toFixed(digits), left - 5, y(v));
    }
    step = Math.max(1, niceStep(end, 4));
    pen.textAlign = "center"; pen.textBaseline = "top";
    for (var t = 0; t <= end; t += step) {
      pen.fillText(String(t), Math.min(x(t), at.width - right - 10), top + tall + 3);
    }
    pen.textAlign = "right";
    pen.fillText("epoch", at.width - right, top + tall + 16);
    drawCurve(pen, x, y, "train", [], 2);
    drawCurve(pen, x, y, "test", [5, 3], 2);
  }

  function drawCurve(pen, x, y, part, dash, width) {
    pen.beginPath();
    curve.forEach(function (p, i) {
      if (i === 0) { pen.moveTo(x(p.time), y(p[part])); } else { pen.lineTo(x(p.time), y(p[part])); }
    });
    pen.setLineDash(dash);
    pen.strokeStyle = INK[part]; pen.lineWidth = width; pen.lineJoin = "round";
    pen.stroke();
    pen.setLineDash([]);
    if (curve.length === 1) {
      pen.fillStyle = INK[part];
      pen.beginPath(); pen.arc(x(curve[0].time), y(curve[0][part]), 2.5, 0, 2 * Math.PI); pen.fill();
    }
  }

  function remember(picture) {
    // after a failure the weights are those of some time before
    if (picture.phase === "failed" || !isFinite(picture.train.loss) || !isFinite(picture.test.loss)) { return; }
    var last = curve[curve.length - 1];
    if (last && last.time >= picture.time) { return; }
    curve.push({ time: picture.time, train: picture.train.loss, test: picture.test.loss });
    if (curve.length > MAX_CURVE) { // every second one is enough; the latest stays
      curve = curve.filter(function (p, i) { return i % 2 === 0 || i === curve.length - 1; });
    }
  }

  // ---- texts --------------------------------------------------------------------------------------

  function right(part) {
    return part.right === undefined || part.right === null ? "" : " (" + Math.round(100 * part.right) + " % right)";
  }

  function writeTexts() {
    var playing = frame.phase === "playing", failed = frame.phase === "failed";
    byId("pg-epoch").textContent = frame.epoch;
    byId("pg-step").textContent = frame.step;
    byId("pg-train").textContent = show(frame.train.loss) + right(frame.train);
    byId("pg-test").textContent = show(frame.test.loss) + right(frame.test);
    byId("play").textContent = playing ? "Pause" : "Play";
    byId("play").disabled = byId("step").disabled = failed;
    if (document.activeElement !== byId("pg-script")) { byId("pg-script").value = frame.code; }
    // screen readers are told of what one does, not of each picture
    var say = NAMES[frame.phase];
    if (failed) {
      say += " in step " + frame.step + ". The weights are the last good ones.";
    } else if (frame.phase === "paused") {
      say += " after " + frame.step + (frame.step === 1 ? " step" : " steps") + ", epoch " + frame.epoch +
        ". Training loss " + show(frame.train.loss) + right(frame.train) +
        ", test loss " + show(frame.test.loss) + right(frame.test) + ".";
    }
    if (say !== spoken) {
      spoken = say;
      byId("pg-status").textContent = say;
      byId("pg-map").setAttribute("aria-label", "The network's output over the plane, with the points. " + say);
      byId("pg-loss").setAttribute("aria-label", "Training and test loss over the epochs. " + say);
      byId("pg-network").setAttribute("aria-label", "The network: " + setup.units.join("-") + " units, activation " +
        setup.activation + ". The weights of a moment are in the table below. " + say);
    }
    if (failed) { warn(frame.note); }
  }

  function warn(text) { byId("pg-alert").textContent = text; }

  function legend() {
    byId("pg-legend").textContent = setup.classes
      ? "Discs: class b (blue), squares: class a (orange); filled: training, hollow: test. " +
        "Line: where the network changes its mind."
      : "Blue: high, orange: low. Discs: training, squares: test data.";
  }

  function draw() {
    if (!setup || !frame) { return; }
    drawNetwork();
    drawMap();
    drawLoss();
  }

  // ---- what one does ------------------------------------------------------------------------------

  function pick(event) {
    if (!setup) { return; }
    var p = point(event), place = mapPlace(event.currentTarget.clientWidth), best = 0, least = 144;
    setup.x1.forEach(function (x1, i) {
      var d = Math.pow(place.x(x1) - p.x, 2) + Math.pow(place.y(setup.x2[i]) - p.y, 2);
      if (d < least) { least = d; best = i + 1; }
    });
    if (best) { Shiny.setInputValue("picked", best, { priority: "event" }); }
  }

  function copy() {
    var script = byId("pg-script");
    function say(text) { byId("pg-copied").textContent = text; }
    function byHand() { // where the page may not use the clipboard, as over plain http
      script.focus();
      script.select();
      say(document.execCommand("copy") ? "Copied" : "Press Ctrl+C to copy");
    }
    say("");
    if (navigator.clipboard && window.isSecureContext) {
      navigator.clipboard.writeText(script.value).then(function () { say("Copied"); }, byHand);
    } else {
      byHand();
    }
  }

  document.addEventListener("DOMContentLoaded", function () {
    var tip = document.createElement("div");
    tip.id = "pg-tip";
    tip.hidden = true;
    byId("pg-network").parentNode.appendChild(tip);
    byId("pg-network").addEventListener("pointermove", tell);
    byId("pg-network").addEventListener("pointerdown", tell);
    byId("pg-network").addEventListener("pointerleave", function () { tip.hidden = true; });
    byId("pg-map").addEventListener("click", pick);
    byId("pg-copy").addEventListener("click", copy);
    var narrow = window.matchMedia("(max-width: 699px)");
    function fold() { document.querySelector(".pg-settings").open = !narrow.matches; }
    narrow.addEventListener("change", fold);
    fold();
    window.addEventListener("resize", draw);

    Shiny.addCustomMessageHandler("playground-setup", function (message) {
      setup = message;
      frame = null;
      curve = [];
      spoken = "";
      warn("");
      legend();
    });
    Shiny.addCustomMessageHandler("playground-frame", function (message) {
      frame = message;
      remember(frame);
      draw();
      writeTexts();
      Shiny.setInputValue("drawn", frame.number);
    });
    Shiny.addCustomMessageHandler("playground-refused", function (message) { warn(message.note); });
    window.jQuery(document).on("shiny:inputchanged", function (event) {
      if (event.name === "sample") {
        chosen = event.value;
        draw();
      }
    });
  });
})();
