/*
 * messages.c: texts that the guest and the user's program send to each other, in their order. Each
 * has an engine runtime of its own, so no value of one can be given to the other.
 *
 * They lie in the engine's heap, which both share.
 */
#include "engine.h"

struct message {
  js_t next;
  uint32_t bytes;
  char text[];
};

static js_t first[WAYS], last[WAYS];

static struct message* at(js_t message) { return window(message); }

bool message_put(enum way way, const char* text) {
  uint32_t bytes = (uint32_t)strlen(text);
  js_t made = heap_take((uint32_t)sizeof(struct message) + bytes);
  if (!made) return false;
  *at(made) = (struct message){0, bytes};
  memcpy(at(made)->text, text, bytes);
  if (last[way]) at(last[way])->next = made;
  else first[way] = made;
  last[way] = made;
  return true;
}

bool message_waits(enum way way) { return first[way] != 0; }

js_t message_take(enum way way) {
  js_t taken = first[way];
  if (!taken) return 0;
  first[way] = at(taken)->next;
  if (!first[way]) last[way] = 0;
  js_t text = js_text(at(taken)->text, at(taken)->bytes);
  ENGINE_free(taken);
  return text;
}
