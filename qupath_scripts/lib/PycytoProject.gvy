/*
 * A QuPath project: its folder, its ID, its classes.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import java.awt.image.BufferedImage
import qupath.lib.common.ColorTools
import qupath.lib.gui.QuPathGUI
import qupath.lib.objects.classes.PathClass
import qupath.lib.projects.Project
import qupath.lib.projects.ProjectIO

class PycytoProject {
    final Project<BufferedImage> project
    final File folder
    final QuPathGUI gui = QuPathGUI.getInstance()  // null without a window
    private String knownId

    PycytoProject(Project<BufferedImage> project) {
        this.project = project
        folder = project.path.toFile().parentFile
    }

    /** Opens a project by its file. */
    static PycytoProject open(File file) {
        if (!file.isFile()) {
            Pycyto.refuse("There is no QuPath project at ${file}.", 'bad input')
        }
        return new PycytoProject(ProjectIO.loadProject(file, BufferedImage))
    }

    /** Everything that pycyto keeps in the project. */
    File getWorkspace() {
        return new File(folder, 'pycyto')
    }

    /** The project's ID; the first script or command that writes makes it. */
    String getId() {
        if (knownId == null) {  // asked for with each line of a log, and never another once it is there
            def file = new File(workspace, 'project.json')
            if (!file.exists()) {
                PycytoFiles.writeJson(file, [schema: Pycyto.SCHEMA, project_id: UUID.randomUUID().toString(), created_at: PycytoFiles.now()])
            }
            knownId = PycytoFiles.readJson(file).get('project_id').asString
        }
        return knownId
    }

    /** An image by its entry ID, read from disk. */
    PycytoImage image(String id) {
        def entry = project.imageList.find { it.getID() == id }
        if (entry == null) {
            Pycyto.refuse("The project has no image with entry ID ${id}.", 'bad input')
        }
        return new PycytoImage(this, entry, null)
    }

    /** How an image is called where users read of it: names repeat. */
    String called(String id) {
        def entry = project.imageList.find { it.getID() == id }
        return entry == null ? "entry ID ${id}".toString() : "${entry.imageName} (entry ID ${id})".toString()
    }

    /** The project's classes by name; the one that stands for "unclassified" has none. */
    List<String> getClassNames() {
        return project.pathClasses.findAll { it != null && it != PathClass.NULL_CLASS }*.toString()
    }

    List<String> getImageIds() {
        return project.imageList*.getID()
    }

    /** Work that took long may have outlived the project in the window. */
    void checkOpen() {
        if (gui != null && gui.project?.path != project.path) {
            Pycyto.refuse("The project ${folder.name} was closed meanwhile. Open it again.")
        }
    }

    /** Adds the classes that are missing and returns their names; those that are there keep their colour and place. */
    List<String> addClasses(Map<String, List<Number>> colours) {
        List<PathClass> all = new ArrayList<>(project.pathClasses)
        Map<String, List<Number>> wanted = colours.findAll { name, rgb -> all.every { it == null || it.toString() != name } }
        List<PathClass> missing = wanted.collect { name, rgb -> pathClass(name, rgb) }
        if (missing) {
            keepClassList()
            project.setPathClasses(all + missing)  // writes classes.json; project.qpproj stays as it is
            checkClasses(all + missing)
            showClasses(missing)
        }
        return missing*.toString()
    }

    private static PathClass pathClass(String name, List<Number> rgb) {
        int colour = ColorTools.packRGB(rgb[0].intValue(), rgb[1].intValue(), rgb[2].intValue())
        def added = PathClass.fromString(name, colour)
        added.setColor(colour)  // the first colour that this Java has seen for a class would stay otherwise
        return added
    }

    private File getClassList() {
        return new File(folder, 'classifiers/classes.json')
    }

    private void keepClassList() {
        if (classList.exists()) {
            PycytoFiles.copy(classList, new File(workspace, "snapshots/classes/${PycytoFiles.sha256(classList).substring(0, 12)}.json"))
        }
    }

    /** QuPath only logs when it cannot write the list, so it is read back. */
    private void checkClasses(List<PathClass> wanted) {
        def written = classList.exists() ? PycytoFiles.readJson(classList).getAsJsonArray('pathClasses')*.asJsonObject*.get('name')*.asString : []
        def lost = wanted.findAll { it != null && it != PathClass.NULL_CLASS }*.toString() - written
        if (lost) {
            Pycyto.refuse("The project's list of classes could not be written (${classList}): ${lost.join(', ')} are missing. "
                + "The list before is in ${new File(workspace, 'snapshots/classes')}.")
        }
    }

    /** The window keeps a list of its own and would write it over the project's. */
    private void showClasses(List<PathClass> missing) {
        if (gui != null) {
            Pycyto.inWindow { gui.availablePathClasses.addAll(missing.findAll { !(it in gui.availablePathClasses) }) }
        }
    }
}
