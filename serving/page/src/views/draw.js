// A surface to draw on, by mouse, touch, pen or keyboard.

import {h, unique} from '../dom.js';
import {centred, toTensor} from '../images.js';
import {onTheme} from '../theme.js';

const SIDE = 280;
const NIB = 22;
const STEP = 10;
const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};

export class Draw {
  #image;
  #give;
  #canvas;
  #ink;  // the drawing alone: the visible surface has the pen's place, too
  #cursor = {x: SIDE / 2, y: SIDE / 2, down: false, shown: false};
  #last = null;
  #inked = false;

  constructor(image, give) {
    this.#image = image;
    this.#give = give;
    const help = unique('help');
    this.#ink = new OffscreenCanvas(SIDE, SIDE);
    this.#canvas = h('canvas', {
      width: SIDE, height: SIDE, class: 'surface', tabindex: '0', role: 'application', 'aria-label': 'Drawing surface',
      'aria-describedby': help,
      onpointerdown: (event) => this.#press(event), onpointermove: (event) => this.#move(event),
      onpointerup: () => this.#lift(), onpointercancel: () => this.#lift(),
      onkeydown: (event) => this.#key(event),
      onfocus: () => this.#focus(this.#canvas.matches(':focus-visible')), onblur: () => this.#focus(false),
    });
    this.element = h('div', {class: 'draw'}, this.#canvas,
        h('div', {class: 'row'}, h('button', {type: 'button', onclick: () => this.clear()}, 'Clear'),
            h('p', {class: 'hint', id: help}, 'By keyboard: arrows move the pen, Space puts it down or lifts it, Delete ' +
              'clears.')));
    // When it is put on the page, and whenever its colours change.
    new ResizeObserver(() => this.#show()).observe(this.#canvas);
    onTheme(() => this.#show());
  }

  clear() {
    this.#ink.getContext('2d').clearRect(0, 0, SIDE, SIDE);
    this.#cursor.down = this.#inked = false;
    this.#show();
  }

  #place(event) {
    const box = this.#canvas.getBoundingClientRect();
    return {x: (event.clientX - box.left) / box.width * SIDE, y: (event.clientY - box.top) / box.height * SIDE};
  }

  #press(event) {
    if (event.button !== 0) return;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#last = this.#place(event);
    this.#stroke(this.#last, this.#last);
  }

  #move(event) {
    if (!this.#last) return;
    for (const each of event.getCoalescedEvents?.() ?? [event]) {
      const place = this.#place(each);
      this.#stroke(this.#last, place);
      this.#last = place;
    }
  }

  #lift() {
    if (!this.#last) return;
    this.#last = null;
    this.#done();
  }

  #focus(shown) {
    this.#cursor.shown = shown;
    this.#cursor.down = false;
    this.#show();
  }

  #key(event) {
    const cursor = this.#cursor;
    if (ARROWS[event.key]) {
      const [dx, dy] = ARROWS[event.key];
      const from = {...cursor};
      cursor.x = Math.min(SIDE, Math.max(0, cursor.x + dx * STEP));
      cursor.y = Math.min(SIDE, Math.max(0, cursor.y + dy * STEP));
      if (cursor.down) this.#stroke(from, cursor);
    } else if (event.key === ' ') {
      cursor.down = !cursor.down;
      if (cursor.down) this.#stroke(cursor, cursor);
      else this.#done();
    } else if (event.key === 'Delete' || event.key === 'Backspace') {
      this.clear();
    } else {
      return;
    }
    cursor.shown = true;
    event.preventDefault();
    this.#show();
  }

  #stroke(from, to) {
    const pen = this.#ink.getContext('2d');
    pen.lineWidth = NIB;
    pen.lineCap = pen.lineJoin = 'round';
    pen.beginPath();
    pen.moveTo(from.x, from.y);
    pen.lineTo(to.x, to.y);
    pen.stroke();
    this.#inked = true;
    this.#show();
  }

  #show() {
    const view = this.#canvas.getContext('2d');
    const style = getComputedStyle(this.#canvas);
    view.globalCompositeOperation = 'source-over';
    view.clearRect(0, 0, SIDE, SIDE);
    view.drawImage(this.#ink, 0, 0);
    view.globalCompositeOperation = 'source-in';
    view.fillStyle = style.color;
    view.fillRect(0, 0, SIDE, SIDE);
    view.globalCompositeOperation = 'source-over';
    if (!this.#inked) {
      view.globalAlpha = 0.55;
      view.font = '17px system-ui, sans-serif';
      view.textAlign = 'center';
      view.fillText('draw here', SIDE / 2, SIDE / 2);
      view.globalAlpha = 1;
    }
    if (!this.#cursor.shown) return;
    view.strokeStyle = style.accentColor === 'auto' ? 'royalblue' : style.accentColor;
    view.lineWidth = this.#cursor.down ? 5 : 2;
    view.beginPath();
    view.arc(this.#cursor.x, this.#cursor.y, NIB / 2 + 2, 0, 2 * Math.PI);
    view.stroke();
  }

  #done() {
    const {data} = this.#ink.getContext('2d').getImageData(0, 0, SIDE, SIDE);
    const drawing = {width: SIDE, height: SIDE, channels: 1,
      data: Float32Array.from({length: SIDE * SIDE}, (_, at) => data[at * 4 + 3] / 255)};
    const small = centred(drawing, this.#image.width, this.#image.height);
    if (!small) return;
    const tensor = toTensor(small, this.#image);
    this.#give({inputs: {[this.#image.name]: tensor}, sample: null});
  }
}
