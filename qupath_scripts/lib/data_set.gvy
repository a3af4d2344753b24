/*
 * A folder of patches with manifest.csv, as pycyto/manifest.py and pycyto/steps/export.py keep it.
 *
 * Loaded after pycyto.gvy and by the same class loader.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import java.awt.image.BufferedImage

class PycytoDataSet {
    final File folder
    private final Map<List<String>, Map<String, Object>> rows = [:]

    PycytoDataSet(File folder) {
        this.folder = folder
        def file = new File(folder, 'manifest.csv')
        if (!file.exists()) {
            return
        }
        boolean first = true
        Pycyto.eachRow(file) { List<String> cells ->
            if (first && cells != Pycyto.COLUMNS || cells.size() != Pycyto.COLUMNS.size()) {
                Pycyto.refuse("${file} was made by another version of pycyto, or changed by hand. Export into another folder.")
            }
            if (!first) {
                def row = [Pycyto.COLUMNS, cells].transpose().collectEntries()
                rows[keyOf(row)] = row
            }
            first = false
        }
    }

    private static List<String> keyOf(Map<String, Object> row) {
        return ['project_id', 'entry_id', 'object_id', 'point_index'].collect { row[it] == null ? '' : row[it].toString() }
    }

    /** Brings a row and its patch into the data set, counts what that meant, and returns its key. */
    List<String> put(Map<String, Object> row, BufferedImage patch, Map<String, Object> counts) {
        def key = keyOf(row), old = rows[key]
        def file = new File(folder, row.file)
        row.content_hash = Pycyto.contentHash(patch)
        if (old != null && old.downsample != '1.0') {
            Pycyto.refuse("${folder} holds patches of this project at another resolution. Choose another folder (out).")
        }
        def before = old == null ? null : new File(folder, old.file)
        boolean same = before?.isFile() && old.content_hash == row.content_hash
        if (same && old.file == row.file) {
            counts.kept++
        } else if (same) {
            Pycyto.replace(before, file)
            counts.relabelled++
        } else {
            Pycyto.writePng(file, patch)
            counts.new++
            if (before != null && old.file != row.file) {
                before.delete()
                counts.relabelled++
            }
        }
        rows[key] = row
        return key
    }

    /** Moves the patches of an image whose cells are gone to removed/. */
    void removeGone(Map<String, Object> ofImage, Set<List<String>> seen, Map<String, Object> counts) {
        def gone = rows.keySet().findAll { it[0] == ofImage.project_id && it[1] == ofImage.entry_id && !(it in seen) }
        gone.each { key ->
            def patch = new File(folder, rows.remove(key).file)
            if (patch.exists()) {
                Pycyto.replace(patch, new File(folder, "removed/${patch.name}"))
            }
            counts.removed++
        }
    }

    /** Writes manifest.csv in the order of the cell keys. */
    void save() {
        def keys = rows.keySet().sort(false) { a, b -> (0..3).findResult { (a[it] <=> b[it]) ?: null } ?: 0 }
        Pycyto.writing(new File(folder, 'manifest.csv')) { out ->
            out << Pycyto.csvRow(Pycyto.COLUMNS) << '\n'
            keys.each { key -> out << Pycyto.csvRow(Pycyto.COLUMNS.collect { rows[key][it] }) << '\n' }
        }
    }
}
