// Models in assets, with Robolectric's Android 7.0 (API 24) classes over real files and descriptors.
package org.kinglet

import android.content.res.AssetFileDescriptor
import android.os.ParcelFileDescriptor
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import java.io.File

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [24], manifest = Config.NONE)
class AssetTest {
    private val path = Host.model("bert", "embed")

    private fun embedding(model: KingletModel): List<Float> =
        model.use { it.newSession().use { session -> session.embed("a b c").toList() } }

    private fun descriptor(file: File, offset: Long, length: Long): AssetFileDescriptor =
        AssetFileDescriptor(ParcelFileDescriptor.open(file, ParcelFileDescriptor.MODE_READ_ONLY), offset, length)

    /** The class to compile against is of a time when descriptors were no Closeable. */
    private fun <T> AssetFileDescriptor.use(body: (AssetFileDescriptor) -> T): T =
        try {
            body(this)
        } finally {
            close()
        }

    @Test
    fun `an asset of known and of unknown length`() {
        val bytes = File(path).readBytes()
        val expected = embedding(KingletModel.open(path))
        val apk = File.createTempFile("kinglet", ".apk")
        try {
            apk.writeBytes(ByteArray(4100) + bytes + ByteArray(77))
            val model = descriptor(apk, 4100, bytes.size.toLong()).use { KingletModel.open(it) }
            assertEquals(expected, embedding(model))
            // Android allows an unknown length from the file's start on only.
            val open = descriptor(File(path), 0, AssetFileDescriptor.UNKNOWN_LENGTH)
            assertEquals(expected, open.use { embedding(KingletModel.open(it)) })
            assertThrows(IllegalStateException::class.java) { KingletModel.open(open) }
        } finally {
            apk.delete()
        }
    }
}
