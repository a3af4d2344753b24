/*
 * The objects in a file data.qpdata, read only if the file is whole.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import groovy.transform.CompileStatic
import qupath.lib.io.PathIO
import qupath.lib.objects.hierarchy.PathObjectHierarchy

@CompileStatic
class PycytoDataFile {
    // The text "EOF" as Java serialises it: the last thing that every QuPath writes.
    private static final byte[] END = [0x74, 0, 3, 0x45, 0x4f, 0x46] as byte[]

    static PathObjectHierarchy read(File file) {
        if (end(file) != END) {
            Pycyto.refuse("The data of this image is cut off: ${file} does not end as QuPath ends it. "
                + 'Restore it from a backup; a copy that broke off looks like this.', 'bad input')
        }
        try (InputStream input = new OnceOnly(new FileInputStream(file))) {
            return PathIO.readHierarchy(input)
        } catch (Throwable e) {
            Pycyto.refuse("QuPath cannot read this image's data (${e}): ${file}. Restore it from a backup.", 'bad input')
        }
    }

    private static byte[] end(File file) {
        try (RandomAccessFile input = new RandomAccessFile(file, 'r')) {
            byte[] last = new byte[END.length]
            input.seek(Math.max(0L, input.length() - last.length))
            input.read(last)
            return last
        }
    }

    /** Where the data of an object is damaged, QuPath reads on beyond the end of the file, and tries that again for ever. */
    private static class OnceOnly extends FilterInputStream {
        OnceOnly(InputStream whole) {
            super(whole)
        }

        @Override
        int read(byte[] bytes, int offset, int length) {
            int n = super.read(bytes, offset, length)
            if (n < 0) {
                throw new IOException('the file ends before its objects do')  // an EOFException would be caught
            }
            return n
        }
    }
}
