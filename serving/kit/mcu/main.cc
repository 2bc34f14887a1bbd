// The model on a microcontroller, with TensorFlow Lite for Microcontrollers (github.com/tensorflow/tflite-micro).
// NOT COMPILED by isomer's tests, which cannot have that library's sources: they run the same file in its interpreter and
// kernels, built for x86-64, measure there how large the arena must be (model.h), and read model.c on an emulated
// Cortex-M3.
//
// Build it in a project that has the library, with model.c; for example as an example of tflite-micro's own make.

#include <cstdio>

#include "model.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/micro/system_setup.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {
alignas(16) uint8_t arena[MODEL_ARENA_BYTES];
}

int main() {
  tflite::InitializeTarget();
  const tflite::Model* model = tflite::GetModel(model_data);
  if (model->version() != TFLITE_SCHEMA_VERSION) return 1;
  tflite::MicroMutableOpResolver<MODEL_OPERATOR_COUNT> operators;
#define ADD_OPERATOR(name) \
  if (operators.Add##name() != kTfLiteOk) return 2;
  MODEL_OPERATORS(ADD_OPERATOR)
  tflite::MicroInterpreter interpreter(model, operators, arena, sizeof(arena));
  if (interpreter.AllocateTensors() != kTfLiteOk) return 3;

  TfLiteTensor* input = interpreter.input(0);
  for (size_t i = 0; i < input->bytes; i++) input->data.uint8[i] = 0;  // here: the sensor's values
  if (interpreter.Invoke() != kTfLiteOk) return 4;

  const TfLiteTensor* output = interpreter.output(0);
  const bool floats = output->type == kTfLiteFloat32;
  const int count = static_cast<int>(output->bytes / (floats ? sizeof(float) : 1));
  int best = 0;
  for (int i = 1; i < count; i++) {
    const bool larger = floats ? output->data.f[i] > output->data.f[best] : output->data.int8[i] > output->data.int8[best];
    if (larger) best = i;
  }
  std::printf("class %d\n", best);
  return 0;
}
