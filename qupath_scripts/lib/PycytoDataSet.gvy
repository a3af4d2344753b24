/*
 * A folder of patches with manifest.csv, as pycyto/manifest.py and pycyto/steps/export.py keep it.
 * Lists marked "as in Python" are held equal to the Python package by a test.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import java.awt.image.BufferedImage
import java.util.regex.Pattern

class PycytoDataSet {
    // Columns of manifest.csv, as in Python.
    static final List<String> COLUMNS = [
        'schema', 'project_id', 'entry_id', 'object_id', 'point_index', 'kind', 'image_key',
        'project_name', 'image_name', 'centroid_x', 'centroid_y', 'left', 'top', 'width',
        'downsample', 'z', 't', 'mpp', 'outline_width', 'outline_height', 'outline_area', 'label', 'original_label', 'scheme',
        'label_origin', 'selected_by', 'annotator', 'decided_at', 'source', 'site', 'patient', 'slide',
        'scanner', 'preparation', 'original_width', 'original_height', 'content_hash', 'file', 'note',
    ]
    static final String CONFIDENTIAL = 'confidential: holds image names and patient keys'

    // Entry ID, object ID and the number of a point: as in Python, a name that exports give.
    private static final Pattern EXPORTED = ~/.+_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(_p\d+)?\.png/

    final File folder
    private final Map<List<String>, Map<String, Object>> rows = [:]

    PycytoDataSet(File folder) {
        this.folder = folder
        def file = new File(folder, 'manifest.csv')
        if (!file.exists()) {
            return
        }
        if (hasProfiles()) {
            Pycyto.refuse("The patches in ${folder} were cut with the colour profiles of their images (pycyto export --icc), and this script applies none. Export into another folder.")
        }
        boolean first = true
        PycytoFiles.eachRow(file) { List<String> cells ->
            if (first && cells != COLUMNS || cells.size() != COLUMNS.size()) {
                Pycyto.refuse("${file} was made by another version of pycyto, or changed by hand. Export into another folder.")
            }
            if (!first) {
                def row = [COLUMNS, cells].transpose().collectEntries()
                if (!isInside(row.file)) {
                    Pycyto.refuse("${file} names a patch outside its folder: ${row.file}. Ask where this data set comes from.", 'bad input')
                }
                rows[keyOf(row)] = row
            }
            first = false
        }
    }

    /** What a row of the manifest says of the image: keys, names, and what its metadata tells. */
    static Map<String, Object> columnsOf(PycytoImage image, Map<String, String> metadataKeys) {
        // As in Python: the digest of the first URI, however many slashes QuPath wrote.
        String uri = image.entry.getURIs()[0].toASCIIString().replaceFirst('^file:/+', 'file:///')
        Map<String, Object> columns = [
            schema: Pycyto.SCHEMA, note: CONFIDENTIAL, project_id: image.project.id, entry_id: image.id,
            image_key: PycytoFiles.sha256(uri).substring(0, 16), image_name: image.entry.imageName,
            project_name: image.project.folder.name, source: image.project.folder.name,
        ]
        metadataKeys.each { column, key -> columns[column] = image.entry.getMetadataValue(key)?.trim() ?: Pycyto.UNKNOWN }
        return columns
    }

    /** Whether a step of the data set says that colour profiles were applied, as in Python. */
    private boolean hasProfiles() {
        def record = new File(folder, 'record.json')
        def steps = record.exists() ? PycytoFiles.toMap(PycytoFiles.readJson(record)).values() : []
        return steps.any { it instanceof Map && it.arguments instanceof Map && it.arguments.icc == true }
    }

    /** Whether a path of the manifest stays in the folder; one from elsewhere may not. */
    private boolean isInside(String path) {
        if (!path || path.contains('\\') || path.contains(':')) {
            return false
        }
        def root = folder.canonicalFile.toPath()
        return new File(folder, path).canonicalFile.toPath().startsWith(root)
    }

    private static List<String> keyOf(Map<String, Object> row) {
        return ['project_id', 'entry_id', 'object_id', 'point_index'].collect { row[it] == null ? '' : row[it].toString() }
    }

    /** Brings a row and its patch into the data set, counts what that meant, and returns its key. */
    List<String> put(Map<String, Object> row, BufferedImage patch, Map<String, Object> counts) {
        def key = keyOf(row), old = rows[key]
        def file = new File(folder, row.file)
        row.content_hash = PycytoPatch.contentHash(patch)
        if (old != null && old.downsample != '1.0') {
            Pycyto.refuse("${folder} holds patches of this project at another resolution. Choose another folder (out).")
        }
        def before = old == null ? null : new File(folder, old.file)
        boolean same = before?.isFile() && old.content_hash == row.content_hash
        if (same && old.file == row.file) {
            counts.kept++
        } else if (same) {
            PycytoFiles.replace(before, file)
            counts.relabelled++
        } else {
            PycytoPatch.writePng(file, patch)
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
                PycytoFiles.replace(patch, new File(folder, "removed/${patch.name}"))
            }
            counts.removed++
        }
    }

    /** Moves patches of an image that no row names to removed/: an export that was killed left them. */
    void removeStrays(String imageId, Map<String, Object> counts) {
        Set<String> named = rows.values()*.file as Set<String>
        (new File(folder, 'images').listFiles() ?: new File[0]).findAll { it.isDirectory() }.each { File ofClass ->
            List<String> strays = ofClass.list().findAll { it.startsWith("${imageId}_") && it ==~ EXPORTED && !("images/${ofClass.name}/${it}".toString() in named) }
            strays.each { PycytoFiles.replace(new File(ofClass, it), new File(folder, "removed/${it}")) }
            counts.removed += strays.size()
        }
    }

    /** Writes manifest.csv in the order of the cell keys. */
    void save() {
        def keys = rows.keySet().sort(false) { a, b -> (0..3).findResult { (a[it] <=> b[it]) ?: null } ?: 0 }
        PycytoFiles.writing(new File(folder, 'manifest.csv')) { out ->
            out << PycytoFiles.csvRow(COLUMNS) << '\n'
            keys.each { key -> out << PycytoFiles.csvRow(COLUMNS.collect { rows[key][it] }) << '\n' }
        }
    }
}
