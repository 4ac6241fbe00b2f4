/**
 * Ten small programs, each of which spends its time in another part of a JavaScript engine. Prints
 * one line: the shortest of five runs of each, in milliseconds.
 *
 * It must run in engines that have nothing but JavaScript, `performance.now` and `console.log`.
 */
const PROGRAMS = {
  calls() {
    const fibonacci = (n) => (n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2));
    return fibonacci(22);
  },
  integers() {
    let sum = 0;
    for (let i = 0; i < 300_000; i++) sum = (sum + i * 3) | 0;
    return sum;
  },
  floats() {
    let sum = 0;
    for (let i = 1; i < 150_000; i++) sum += Math.sqrt(i) / i;
    return sum;
  },
  arrays() {
    const values = [];
    for (let i = 0; i < 60_000; i++) values.push(i ^ 5);
    let sum = 0;
    for (const value of values) sum += value;
    return sum;
  },
  "typed arrays"() {
    const words = new Uint32Array(4096);
    for (let i = 0; i < 120_000; i++) words[i & 4095] = words[(i * 7) & 4095] + i;
    return words[100];
  },
  objects() {
    let sum = 0;
    for (let i = 0; i < 60_000; i++) {
      const point = { x: i, y: i + 1 };
      sum += point.x + point.y;
    }
    return sum;
  },
  strings() {
    let text = "";
    for (let i = 0; i < 40_000; i++) text += String.fromCharCode(97 + (i % 26));
    let sum = 0;
    for (let i = 0; i < text.length; i++) sum += text.charCodeAt(i);
    return sum;
  },
  maps() {
    const map = new Map();
    for (let i = 0; i < 30_000; i++) map.set(`key ${i}`, i);
    let sum = 0;
    for (const [, value] of map) sum += value;
    return sum;
  },
  sorting() {
    const values = [];
    let value = 1;
    for (let i = 0; i < 12_000; i++) {
      value = (value * 16_807) % 2_147_483_647;
      values.push(value);
    }
    return values.sort((a, b) => a - b)[0];
  },
  "texts as data"() {
    const rows = [];
    for (let id = 0; id < 600; id++) rows.push({ id, name: `row ${id}`, tags: ["a", "b"] });
    const copies = JSON.parse(JSON.stringify(rows));
    const line = "the quick brown fox 123 jumps over 4567 lazy dogs";
    let found = copies.length;
    for (let i = 0; i < 500; i++) found += line.match(/\d+/g).length;
    return found;
  },
};
const RUNS = 5;

const results = Object.entries(PROGRAMS).map(([name, work]) => {
  const answer = work();
  let bestMs = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) {
    const startMs = performance.now();
    if (work() !== answer) throw new Error(`${name}: two answers`);
    bestMs = Math.min(bestMs, performance.now() - startMs);
  }
  return { name, answer, ms: bestMs };
});
console.log(`results ${JSON.stringify(results)}`);
// Linux ends with its first program, and with it what it has not written yet.
const endMs = performance.now() + 1000;
while (performance.now() < endMs);
