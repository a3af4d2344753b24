/*
 * What an object's class was before a run set it: runs stack, and some may have been taken back since.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import qupath.lib.objects.PathObject

class PycytoFormer {
    private final String imageId
    private final List<PycytoRun> runs
    private final Map<PycytoRun, Map<String, Map<String, String>>> written = [:]
    private final Map<PycytoRun, Map<String, Map<String, Double>>> said = [:]

    PycytoFormer(PycytoImage image) {
        imageId = image.id
        runs = PycytoRun.all(image.project).findAll { it.has(imageId) }
    }

    /** The run of a mark, or null. */
    PycytoRun withMark(String mark) {
        return mark ? runs.find { it.mark == (mark as double) } : null
    }

    /** Gives an object the class, and a colour of its own, back that it had before a run, as a row of the run's table "written" tells. */
    void restore(PathObject object, Map<String, String> row) {
        def run = withMark(row.former_run)
        while (run?.get(imageId, 'state') == 'undone' && writtenBy(run).containsKey(row.object_id)) {
            row = writtenBy(run)[row.object_id]
            run = withMark(row.former_run)
        }
        if (row.former_class) {
            Map<String, Double> values = run == null ? [:] : saidBy(run)[row.object_id] ?: [:]
            def mark = row.former_run ? [(PycytoObjects.UPDATED_MARK): row.former_run as double] : [:]
            PycytoObjects.classify(object, row.former_class, values + mark)
        } else {
            PycytoObjects.unclassify(object)
        }
        object.setColor(row.former_colour ? row.former_colour as Integer : (Integer) null)
    }

    private Map<String, Map<String, String>> writtenBy(PycytoRun run) {
        return written.computeIfAbsent(run) { it.written(imageId) }
    }

    private Map<String, Map<String, Double>> saidBy(PycytoRun run) {
        return said.computeIfAbsent(run) {
            Map<String, Map<String, Double>> found = [:]
            it.eachRowOf('updates', imageId) { Map<String, String> row, Map<String, Double> values -> found[row.object_id] = values }
            return found
        }
    }
}
