/*
 * Which cells are read blinded, by whom, in which order: a file that "pycyto assign" has written
 * to pycyto/reads; see docs/formats.md. It holds no label, no prediction and no image name.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import java.util.regex.Pattern

class PycytoAssignment {
    static final String PROFICIENCY = 'proficiency'
    private static final Pattern FILE = ~/\d{4}-\d{2}-\d{2}_[0-9a-f]{6}\.json/

    final PycytoProject project
    final File file
    final String name
    final String kind
    final String projectId
    final String createdAt
    final List<String> classes  // the least severe first
    final List<String> readers
    final List<Cell> cells
    final Map<String, List<Integer>> orders  // by reader: the cell at each position

    PycytoAssignment(PycytoProject project, File file) {
        this.project = project
        this.file = file
        Map<String, Object> json = PycytoFiles.toMap(PycytoFiles.readJson(file))
        try {
            name = json.assignment
            kind = json.kind
            projectId = json.project_id
            createdAt = json.created_at
            classes = json.classes as List<String>
            readers = json.readers as List<String>
            cells = (json.cells as List<Map<String, Object>>).collect { new Cell(it) }
            orders = (json.orders as Map<String, List<Number>>).collectEntries { who, order -> [who, order*.intValue()] }
        } catch (ClassCastException | NullPointerException | IllegalArgumentException e) {
            Pycyto.refuse("This is no assignment that pycyto can read: ${file} (${e.message}). Copy it again from the project where it was made.", 'bad input')
        }
        check(json.schema)
    }

    private void check(Object schema) {
        boolean whole = schema == Pycyto.SCHEMA && file.name == "${name}.json" && classes && cells && readers
            && readers.every { who -> orders[who].toSet() == cells.indices.toSet() }
        if (!whole) {
            Pycyto.refuse("This assignment is not whole, or was made by another version of pycyto: ${file}. "
                + 'Copy it again from the project where it was made.', 'bad input')
        }
    }

    /** All assignments of a project, the oldest first. */
    static List<PycytoAssignment> all(PycytoProject project) {
        File[] files = folder(project).listFiles() ?: new File[0]
        List<PycytoAssignment> all = files.findAll { it.name ==~ FILE }.collect { new PycytoAssignment(project, it) }
        return all.sort { a, b -> a.createdAt <=> b.createdAt ?: a.name <=> b.name }
    }

    /** The assignment of a name, else the newest. */
    static PycytoAssignment chosen(PycytoProject project, String wanted) {
        List<PycytoAssignment> all = all(project)
        if (!all) {
            Pycyto.refuse("Nothing is assigned for reading in this project. 'pycyto assign' makes an assignment; if it was made on another "
                + "computer, copy its file into ${folder(project)}.", 'bad input')
        }
        def found = wanted ? all.find { it.name == wanted } : all.last()
        if (found == null) {
            Pycyto.refuse("There is no assignment '${wanted}' in this project. There are: ${all*.name.join(', ')}.", 'bad input')
        }
        found.checkProject()
        return found
    }

    private void checkProject() {
        def note = new File(project.workspace, 'project.json')
        if (!note.isFile() || PycytoFiles.readJson(note).get('project_id').asString != projectId) {
            Pycyto.refuse("The assignment ${name} was made for another project, where its cells are. Open that project, or a copy of its whole folder.", 'bad input')
        }
    }

    static File folder(PycytoProject project) {
        return new File(project.workspace, 'reads')
    }

    boolean isProficiency() {
        return kind == PROFICIENCY
    }

    /** A cell to read: where it is, whatever has become of its object since. */
    static class Cell {
        final String imageId
        final List<Object> key  // image, object and point, as in all assignments
        final double x, y, width, height  // full-resolution pixels; 0 x 0 for a point
        final int z, t

        Cell(Map<String, Object> json) {
            imageId = json.entry_id as String
            key = [imageId, json.object_id as String, json.point_index as Integer]
            x = json.x as double
            y = json.y as double
            width = json.width as double
            height = json.height as double
            z = json.z as int
            t = json.t as int
        }
    }
}
