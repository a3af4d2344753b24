/*
 * A prediction run, staged by "pycyto predict" in pycyto/runs; see docs/formats.md.
 *
 * Loaded after pycyto.gvy and by the same class loader.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import com.google.gson.JsonObject
import qupath.lib.common.GeneralTools
import qupath.lib.objects.PathObject
import qupath.lib.roi.interfaces.ROI

class PycytoRun {
    final File folder
    final JsonObject json  // as a tree, so that what this script does not know stays in it
    private List<PathObject> made = []
    private List<PathObject> updated = []
    private int there = 0
    private int gone = 0

    PycytoRun(File folder) {
        this.folder = folder
        json = Pycyto.readJson(new File(folder, 'run.json'))
    }

    /**
     * The run of a name, else the newest that was not taken back. Never an older one by itself:
     * it may be what somebody decided against.
     */
    static PycytoRun chosen(PycytoJob job) {
        File[] files = new File(job.workspace, 'runs').listFiles() ?: new File[0]
        List<PycytoRun> all = files.findAll { new File(it, 'run.json').isFile() }.collect { new PycytoRun(it) }
        all.sort { a, b -> a.createdAt <=> b.createdAt ?: a.name <=> b.name }
        String wanted = job.config.run
        def found = wanted ? all.find { it.name == wanted } : all.findAll { it.state != 'undone' }.with { it ? it.last() : null }
        if (found == null) {
            Pycyto.refuse((wanted ? "There is no run '${wanted}' in this project." : 'No run waits to be loaded into this project.')
                + " Known runs: ${all*.name.join(', ') ?: 'none'}. pycyto predict makes one.")
        }
        if (found.json.get('project_id').asString != job.projectId) {
            Pycyto.refuse("The run ${found.name} was made for another project. Predict again on this one.")
        }
        return found
    }

    String getName() { folder.name }

    String getState() { json.get('state').asString }

    String getCreatedAt() { json.get('created_at').asString }

    /** The first 24 bits of the run's UUID: a detection's measurement (float) holds them exactly. */
    double getMark() { Long.parseLong(json.get('run_id').asString.replace('-', '').substring(0, 6), 16) as double }

    boolean isMarked(PathObject object) {
        def measurements = object.measurementList
        return measurements.get(Pycyto.RUN_MARK) == mark || measurements.get(Pycyto.UPDATED_MARK) == mark
    }

    String stateOf(PycytoImage image) {
        return imageJson(image)?.get('state')?.asString
    }

    private JsonObject imageJson(PycytoImage image) {
        return json.getAsJsonObject('images').getAsJsonObject(image.id)
    }

    int countOnDisk(PycytoImage image) {
        return image.objectsOnDisk().count { isMarked(it) } as int
    }

    private File snapshot(PycytoImage image) {
        return new File(folder, "snapshots/${image.id}")
    }

    void checkUnchanged(PycytoImage image) {
        if (image.data?.server == null) {
            Pycyto.refuse('The image file cannot be opened. Put it back where the project expects it.')
        }
        // QuPath opens an image as empty when it cannot read its objects; a save would destroy them.
        if (image.objects().size() != image.objectsOnDisk().size()) {
            Pycyto.refuse('QuPath does not show all objects that are on disk. Close the image without saving, open it again, and run this script again.')
        }
        if (image.dataSha256() != imageJson(image).get('data_sha256').asString && !isLoadedBefore(image) && !image.job.config.stale_ok) {
            Pycyto.refuse("This image was saved after the run ${name} was predicted; nothing was written to it. "
                + 'Run export_cells.groovy and predict again; or set stale_ok to true: then cells that moved or are gone are left out and counted.')
        }
    }

    /** Whether this run was saved already, by a script that was killed before it could note it. */
    private boolean isLoadedBefore(PycytoImage image) {
        return image.objects().any { isMarked(it) }
    }

    void keepSnapshot(PycytoImage image) {
        if (isLoadedBefore(image)) {
            return
        }
        String sha = image.dataSha256()
        def target = snapshot(image)
        def cells = new File(image.job.workspace, "cells/${image.id}.geojson")
        [image.dataFile, new File(image.dataFile.parentFile, 'summary.json'), cells].each { File source ->
            if (source.exists()) {
                Pycyto.copy(source, new File(target, source.name))
            }
        }
        if (sha && Pycyto.sha256(new File(target, 'data.qpdata')) != sha) {
            Pycyto.refuse('The data of this image changed while it was copied. Run this script again.')
        }
        imageJson(image).addProperty('data_sha256', sha)
    }

    void addClasses(PycytoImage image) {
        Pycyto.addClasses(image.job, Pycyto.toMap(json.get('colours')) as Map<String, List<Number>>)
    }

    void write(PycytoImage image) {
        Map<String, PathObject> byId = image.objects().collectEntries { [(it.getID().toString()): it] }
        eachRowOf('new.csv', image.id) { Map<String, String> row, Map<String, Double> values -> create(row, values, byId) }
        eachRowOf('updates.csv', image.id) { Map<String, String> row, Map<String, Double> values -> update(row, values, byId) }
        if (!made && !updated) {
            return
        }
        def hierarchy = image.data.hierarchy
        try {
            hierarchy.addObjects(made)
            hierarchy.fireObjectClassificationsChangedEvent(this, updated)
            image.entry.saveImageData(image.data)
        } catch (Exception e) {
            // A full disk, say: window and file go back to what they were.
            hierarchy.removeObjects(made, true)
            updated.each { PathObject object -> unclassify(object) }
            def kept = new File(snapshot(image), 'data.qpdata')
            if (kept.exists()) {
                Pycyto.copy(kept, image.dataFile)
            }
            throw e
        }
    }

    private void create(Map<String, String> row, Map<String, Double> values, Map<String, PathObject> byId) {
        def same = byId[row.object_id]
        ROI roi = roiFor(row, byId[row.source_id])
        if (same != null && isMarked(same)) {
            there++
        } else if (same != null || roi == null) {
            gone++
        } else {
            made << Pycyto.detection(roi, row.object_id, row.get('class'), values + [(Pycyto.RUN_MARK): mark])
        }
    }

    /** The outline of a new detection; null where the expert's object is gone or has moved. */
    private static ROI roiFor(Map<String, String> row, PathObject source) {
        double x = row.x as double, y = row.y as double
        if (source == null) {
            return null
        }
        if (!row.point_index) {
            return Pycyto.isAt(source, x, y) ? source.getROI() : null
        }
        def points = source.getROI().allPoints
        int index = row.point_index as int
        boolean same = index < points.size() && Math.hypot(points[index].x - x, points[index].y - y) <= 0.5d
        return same ? Pycyto.circle(x, y, row.radius as double, row.z as int, row.t as int) : null
    }

    private void update(Map<String, String> row, Map<String, Double> values, Map<String, PathObject> byId) {
        def target = byId[row.object_id]
        if (target != null && isMarked(target)) {
            there++
        } else if (target != null && target.isDetection() && target.pathClass == null
            && Pycyto.isAt(target, row.x as double, row.y as double)) {
            Pycyto.classify(target, row.get('class'), values + [(Pycyto.UPDATED_MARK): mark])
            updated << target
        } else {
            gone++
        }
    }

    private static void unclassify(PathObject object) {
        object.resetPathClass()
        def names = object.measurementList.measurementNames.findAll { it == Pycyto.UPDATED_MARK || it.startsWith('pycyto: P(') }
        names.each { String name -> object.measurementList.remove(name) }
    }

    /** Calls an action with each row of an image: its columns, and its probabilities as measurements. */
    private void eachRowOf(String file, String entryId, Closure action) {
        List<String> header = null
        Pycyto.eachRow(new File(folder, file)) { List<String> row ->
            if (header == null) {
                header = row
            } else if (row[0] == entryId) {
                Map<String, String> columns = [:]
                Map<String, Double> values = [:]
                header.eachWithIndex { String column, int i ->
                    if (column.startsWith('P(')) {
                        values['pycyto: ' + column] = row[i] as double
                    } else {
                        columns[column] = row[i]
                    }
                }
                action.call(columns, values)
            }
        }
    }

    /** Reads back what was saved, notes it in run.json, and returns the counts. */
    Map<String, Object> close(PycytoImage image) {
        int found = countOnDisk(image)
        def state = imageJson(image)
        int created = made.size(), classified = updated.size()
        if (there) {
            // Counted from what is there: the script that saved it did not live to count.
            created = image.objectsOnDisk().count { it.measurementList.get(Pycyto.RUN_MARK) == mark } as int
            classified = found - created
        }
        state.addProperty('state', 'written')
        state.addProperty('written_sha256', image.dataSha256())
        state.addProperty('written_at', Pycyto.now())
        state.addProperty('written_by', "script, QuPath ${GeneralTools.version}".toString())
        state.addProperty('created', created)
        state.addProperty('updated', classified)
        state.addProperty('gone', gone)
        state.addProperty('read_back', found)
        Set<String> states = json.getAsJsonObject('images').entrySet().collect { it.value.asJsonObject.get('state').asString } as Set
        json.addProperty('state', states.size() == 1 ? states[0] : 'written' in states ? 'partly written' : 'staged' in states ? 'staged' : 'undone')
        Pycyto.writeJson(new File(folder, 'run.json'), json)
        if (found != made.size() + updated.size() + there) {
            Pycyto.refuse("${made.size() + updated.size() + there} objects were saved and ${found} found. Take the run back with pycyto undo: the state before it is kept.")
        }
        return [created: created, updated: classified, gone: gone, read_back: found] as Map<String, Object>
    }
}
