// NOT EXECUTED: isomer's tests have no Android SDK. Written after LiteRT's documentation of CompiledModel
// (com.google.ai.edge.litert:litert). The model is models/float32-batch1.tflite in the app's assets: GPU
// accelerators take files with a static batch only.

package org.example.classifier

import android.content.res.AssetManager
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel

class Classifier(assets: AssetManager, accelerator: Accelerator = Accelerator.CPU) : AutoCloseable {
    private val model =
        CompiledModel.create(assets, "float32-batch1.tflite", CompiledModel.Options(accelerator))
    private val inputs = model.createInputBuffers()
    private val outputs = model.createOutputBuffers()

    /** The scores of one row of the model's input, flattened in C order. */
    fun scores(row: FloatArray): FloatArray {
        inputs[0].writeFloat(row)
        model.run(inputs, outputs)
        return outputs[0].readFloat()
    }

    fun classify(row: FloatArray): Int = scores(row).let { s -> s.indices.maxByOrNull { s[it] } ?: -1 }

    override fun close() {
        inputs.forEach { it.close() }
        outputs.forEach { it.close() }
        model.close()
    }
}
