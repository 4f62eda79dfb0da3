// The native methods, in native/*.cc. Handles are pointers: nothing here checks them.
package org.kinglet

import java.nio.ByteBuffer
import java.nio.FloatBuffer

internal object Native {
    init {
        System.loadLibrary("kinglet_jni")
    }

    @JvmStatic external fun version(): String
    @JvmStatic external fun isa(): String?

    @JvmStatic external fun openPath(path: String): Long
    @JvmStatic external fun openFd(fd: Int, offset: Long, length: Long): Long
    @JvmStatic external fun openMemory(buffer: ByteBuffer): Long
    @JvmStatic external fun closeModel(model: Long)
    @JvmStatic external fun modelInfo(model: Long): Array<Any?>
    @JvmStatic external fun token(model: Long, id: Int): String?
    @JvmStatic external fun tokenText(model: Long, id: Int): String
    @JvmStatic external fun selfTest(model: Long)

    @JvmStatic
    external fun createSession(
        model: Long, threads: Int, maxLength: Int, batch: Int, rawOutputs: Boolean, prompt: String?,
        documentTokens: Int, topK: Int,
    ): Long
    @JvmStatic external fun closeSession(session: Long)
    @JvmStatic external fun cancel(session: Long)
    @JvmStatic external fun sessionTokenText(session: Long, id: Int): String
    @JvmStatic external fun sessionMemory(session: Long): Long

    @JvmStatic external fun tokenize(session: Long, text: String, pair: String?, maxLength: Int): Array<Any>

    @JvmStatic
    external fun embed(
        session: Long, texts: Array<String?>?, pairs: Array<String?>?, ids: Array<IntArray?>?,
        typeIds: Array<IntArray?>?,
    ): FloatArray

    @JvmStatic
    external fun embedInto(
        session: Long, texts: Array<String?>?, pairs: Array<String?>?, ids: Array<IntArray?>?,
        typeIds: Array<IntArray?>?,
        into: FloatBuffer, offset: Int,
    )

    @JvmStatic external fun similarity(session: Long, texts: Array<String?>): Float

    @JvmStatic
    external fun classify(
        session: Long, texts: Array<String?>?, pairs: Array<String?>?, ids: Array<IntArray?>?,
        typeIds: Array<IntArray?>?,
    ): FloatArray

    @JvmStatic external fun rerank(session: Long, texts: Array<String?>): FloatArray

    @JvmStatic
    external fun tag(session: Long, texts: Array<String?>, aggregation: Int, windows: Boolean, stride: Int): IntArray

    @JvmStatic
    external fun answer(
        session: Long, question: String, context: String, topK: Int, maxAnswerTokens: Int, maxLength: Int, stride: Int,
        noAnswer: Boolean,
    ): IntArray

    @JvmStatic
    external fun fillMask(
        session: Long, texts: Array<String?>?, pairs: Array<String?>?, ids: Array<IntArray?>?,
        typeIds: Array<IntArray?>?,
        topK: Int,
    ): IntArray

    @JvmStatic
    external fun encode(
        session: Long, texts: Array<String?>?, pairs: Array<String?>?, ids: Array<IntArray?>?,
        typeIds: Array<IntArray?>?,
    ): Array<Any>
}
