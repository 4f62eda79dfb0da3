// A model file that is open.
package org.kinglet

import android.content.res.AssetFileDescriptor
import android.content.res.AssetManager
import java.nio.ByteBuffer
import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.withLock

/**
 * A model, opened and checked in full. Its weights are used where they lie, in the file or in the APK, so that opening
 * copies nothing and processes share them.
 *
 * ```
 * KingletModel.open(context.assets, "minilm.kgl").use { model ->
 *     model.newSession().use { session -> session.embed("A small bird sings.") }
 * }
 * ```
 *
 * Any number of threads may use one model. [close] releases it; sessions that it made go on working, and memory is
 * freed with the last of them. Closing twice does nothing; every other use after [close] is an [IllegalStateException].
 * What is never closed is never freed.
 */
public class KingletModel private constructor(private var handle: Long, private val memory: ByteBuffer?) :
    AutoCloseable {
    private val lock = ReentrantLock()

    /** What the model says of itself. Stays after [close]. */
    public val info: ModelInfo = try {
        readInfo(handle)
    } catch (error: Throwable) {
        Native.closeModel(handle)
        throw error
    }

    /**
     * A session, which computes. Make one per thread that works at the same time; its memory is planned here and does
     * not grow.
     */
    @JvmOverloads
    public fun newSession(options: SessionOptions = SessionOptions()): KingletSession = whileOpen { model ->
        val session = Native.createSession(
            model, options.threads, options.maxLength, options.batch, options.rawOutputs, options.prompt,
            options.documentTokens, options.topK,
        )
        KingletSession(session, this, options)
    }

    /** Runs the samples that the file carries and compares: a [KingletException] with [Status.BAD_MODEL] otherwise. */
    public fun selfTest(): Unit = whileOpen { Native.selfTest(it) }

    /** The text of a token in the vocabulary; null for an unknown id. */
    public fun token(id: Int): String? = whileOpen { Native.token(it, id) }

    /** What a token says by itself, as in a decoded text; empty for an unknown id. */
    public fun tokenText(id: Int): String = whileOpen { Native.tokenText(it, id) }

    /** Releases the model. */
    override fun close(): Unit = lock.withLock {
        if (handle != 0L) {
            Native.closeModel(handle)
            handle = 0
        }
    }

    /** Names the model and what it is for. */
    override fun toString(): String = "KingletModel(${info.architecture}, ${info.precision}, ${info.task})"

    private inline fun <T> whileOpen(call: (Long) -> T): T = lock.withLock {
        check(handle != 0L) { "the model is closed" }
        call(handle)
    }

    public companion object {
        /** The version of the native library. */
        @JvmStatic
        public val version: String get() = Native.version()

        /** The instructions that it computes with on this processor: "neon_dotprod", …. */
        @JvmStatic
        public val isa: String? get() = Native.isa()

        /** Opens a file. It must not change while the model is open. */
        @JvmStatic
        public fun open(path: String): KingletModel {
            require('\u0000' !in path) { "path: has a character U+0000" }
            return KingletModel(Native.openPath(path), null)
        }

        /**
         * Opens an asset where it lies in the APK. It must be stored there uncompressed: `androidResources {
         * noCompress += "kgl" }` in the app's build.gradle.kts.
         */
        @JvmStatic
        public fun open(assets: AssetManager, name: String): KingletModel {
            val asset = assets.openFd(name)
            try {
                return open(asset)
            } finally {
                asset.close()
            }
        }

        /** Opens a part of a file, such as an asset of an APK. The descriptor stays the caller's, who may close it. */
        @JvmStatic
        public fun open(asset: AssetFileDescriptor): KingletModel {
            val length = asset.declaredLength
            val toTheEnd = length == AssetFileDescriptor.UNKNOWN_LENGTH
            return open(asset.parcelFileDescriptor.fd, asset.startOffset, if (toTheEnd) 0 else length)
        }

        /**
         * Opens [length] bytes from [offset] on of an open file; 0: to its end. [offset] must be a multiple of 4, as it
         * is in an APK. The descriptor is duplicated: the caller may close its own.
         */
        @JvmStatic
        public fun open(fd: Int, offset: Long, length: Long): KingletModel {
            require(offset >= 0 && length >= 0) { "offset $offset, length $length: expected 0 or more" }
            return KingletModel(Native.openFd(fd, offset, length), null)
        }

        /**
         * Opens a model in memory: what lies between position and limit. A direct buffer is used where it is, must not
         * change while the model or a session of it is open, and must begin at a multiple of 4; any other is copied.
         */
        @JvmStatic
        public fun open(buffer: ByteBuffer): KingletModel {
            val memory = if (buffer.isDirect) {
                buffer.slice()
            } else {
                ByteBuffer.allocateDirect(buffer.remaining()).also { copy ->
                    copy.put(buffer.duplicate())
                    (copy as java.nio.Buffer).flip()
                }
            }
            return KingletModel(Native.openMemory(memory), memory)
        }

        /** Opens a model in memory, of which a copy is made. For large models a file or a direct buffer is better. */
        @JvmStatic
        public fun open(bytes: ByteArray): KingletModel = open(ByteBuffer.wrap(bytes))

        private fun readInfo(handle: Long): ModelInfo {
            val facts = Native.modelInfo(handle)
            val numbers = facts[0] as IntArray
            return ModelInfo(
                task = Task.values()[numbers[0]],
                scoring = Scoring.values()[numbers[1]],
                maxLength = numbers[2],
                vocabulary = numbers[3],
                typeCount = numbers[4],
                embeddingSize = numbers[6],
                hasTokenizer = numbers[7] != 0,
                architecture = facts[1] as String,
                precision = facts[2] as String,
                labels = names(facts[3]),
                outputs = names(facts[4]),
                prompts = names(facts[5]),
            )
        }

        private fun names(array: Any?): List<String> =
            (array as Array<*>).mapIndexed { i, name -> name as String? ?: i.toString() }
    }
}
