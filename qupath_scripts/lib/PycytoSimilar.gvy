/*
 * Which adjudicated cells look most like each cell of a run: runs/<run>/similar/<entry ID>.csv.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import groovy.transform.CompileStatic
import java.util.regex.Pattern

@CompileStatic
class PycytoSimilar {
    // A run may come from elsewhere: nothing outside its folder is opened because a table says so.
    private static final Pattern PATCH = Pattern.compile('patches/[0-9a-f]{64}\\.png')

    private final File folder
    private final Map<String, List<Map<String, Object>>> byCell = new HashMap<String, List<Map<String, Object>>>()

    PycytoSimilar(PycytoRun run, String imageId) {
        folder = new File(run.folder, 'similar')
        File table = new File(folder, "${imageId}.csv")
        if (table.isFile()) {  // else nobody asked for them
            Map<String, Map<String, Object>> kept = new HashMap<String, Map<String, Object>>()
            PycytoFiles.eachNamedRow(table, (Map<String, String> row) -> add(imageId, row, kept))
        }
    }

    /** The adjudicated cells beside a cell, the most similar first: label, origin, similarity, same_slide, file. */
    List<Map<String, Object>> of(PycytoCell cell) {
        return byCell.get(cell.key) ?: []
    }

    /** Equal rows are kept once: 100,000 cells share a few hundred adjudicated ones. */
    private void add(String imageId, Map<String, String> row, Map<String, Map<String, Object>> kept) {
        if (!PATCH.matcher(row.get('file')).matches()) {
            Pycyto.refuse("The table of similar cells names a file that is none of its pictures (${row.get('file')}). Copy the folder of the run again, or predict again.", 'bad input')
        }
        String name = [row.get('label'), row.get('label_origin'), row.get('similarity'), row.get('same_slide'), row.get('file')].join(',')
        Map<String, Object> similar = kept.computeIfAbsent(name, (String it) -> [
            label: row.get('label'), origin: row.get('label_origin'), similarity: Double.valueOf(row.get('similarity')),
            same_slide: row.get('same_slide') == '1', file: new File(folder, row.get('file')),
        ] as Map<String, Object>)
        String key = PycytoCell.keyOf(imageId, row.get('object_id'), row.get('point_index') ?: null)
        byCell.computeIfAbsent(key, (String it) -> new ArrayList<Map<String, Object>>(6)).add(similar)
    }
}
