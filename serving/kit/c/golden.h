/* The kit's golden rows in C: reads its .npy files, and judges as check.py does. C99, nothing else. */
#ifndef GOLDEN_H
#define GOLDEN_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  char kind[4];    /* "<f4" or "<f8" */
  long rows, size; /* of the first axis; of all others together */
  void *data;
} array;

/* A C-contiguous little-endian array from KIT/golden/NAME.npy (NumPy's format 1.0); ends the program without it. */
static array read_array(const char *kit, const char *name) {
  char path[4096], header[65536], *shape;
  unsigned char start[10];
  array found = {"", 1, 1, NULL};
  long count, width, axis = 0, length;
  FILE *file;
  snprintf(path, sizeof path, "%s/golden/%s.npy", kit, name);
  file = fopen(path, "rb");
  if (!file || fread(start, 1, 10, file) != 10 || memcmp(start, "\x93NUMPY\x01", 7)) {
    fprintf(stderr, "error: %s is no array of the kit\n", path);
    exit(2);
  }
  length = start[8] + 256 * start[9];
  if ((long)fread(header, 1, (size_t)length, file) != length) exit(2);
  header[length < 65535 ? length : 65535] = 0;
  shape = strstr(header, "'descr': '");
  if (!shape || strstr(header, "'fortran_order': True")) exit(2);
  memcpy(found.kind, shape + 10, 3);
  shape = strchr(strstr(header, "'shape': ("), '(');
  for (;; axis++) {
    char *end;
    long value = strtol(shape + 1, &end, 10);
    if (end == shape + 1) break;
    if (axis == 0) found.rows = value;
    else found.size *= value;
    shape = strpbrk(end, ",)");
    if (*shape == ')') break;
  }
  width = found.kind[2] - '0';
  count = found.rows * found.size * width;
  found.data = malloc((size_t)count + 1);
  if (!found.data || (long)fread(found.data, 1, (size_t)count, file) != count) {
    fprintf(stderr, "error: %s is too short\n", path);
    exit(2);
  }
  fclose(file);
  return found;
}

/* The one input and output of the kit's models, and what the oracle allows. */
typedef struct {
  array input, exact, scale, limit;
  long failed;
  double worst; /* largest share of a budget that was used */
} golden;

static golden read_golden(const char *kit) {
  golden g = {read_array(kit, "input-0"), read_array(kit, "exact-0"), read_array(kit, "scale-0"),
              read_array(kit, "limit-0"), 0, 0.0};
  if (strcmp(g.input.kind, "<f4") || strcmp(g.exact.kind, "<f8")) {
    fprintf(stderr, "error: these programs take models with one float input and output\n");
    exit(2);
  }
  return g;
}

static const float *golden_input(const golden *g, long row) { return (const float *)g->input.data + row * g->input.size; }

/* Judge one row's answer and print its class: error in ULP of the row's scale, against the row's budget. */
static void judge_row(golden *g, long row, const float *answer) {
  const double *exact = (const double *)g->exact.data + row * g->exact.size;
  double scale = ((const double *)g->scale.data)[row], limit = ((const double *)g->limit.data)[row], error = 0.0;
  long best = 0, k;
  for (k = 0; k < g->exact.size; k++) {
    double apart = fabs((double)answer[k] - exact[k]);
    if (isfinite(exact[k]) && !(apart <= error)) error = isfinite(apart) ? apart : INFINITY;
    if (answer[k] > answer[best]) best = k;
  }
  error /= exp2(floor(log2(scale)) - 23);
  if (error / limit > g->worst) g->worst = error / limit;
  if (error > limit) g->failed++;
  printf("row %2ld  class %ld (%.4f)  %.3g of %.3g ULP%s\n", row, best, (double)answer[best], error, limit,
         error > limit ? "  FAIL" : "");
}

static int verdict(const golden *g) {
  printf("%s: %ld of %ld rows are beyond their budgets; at most %.1f %% of one is used\n", g->failed ? "FAIL" : "PASS",
         g->failed, g->exact.rows, 100 * g->worst);
  return g->failed ? 1 : 0;
}

#endif
