/*
 * One image of a project: its objects in memory and on disk, and the file that holds them.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import java.awt.image.BufferedImage
import qupath.lib.gui.viewer.QuPathViewer
import qupath.lib.images.ImageData
import qupath.lib.objects.PathObject
import qupath.lib.objects.hierarchy.PathObjectHierarchy
import qupath.lib.projects.ProjectImageEntry

class PycytoImage {
    final PycytoProject project
    final ProjectImageEntry<BufferedImage> entry
    final String id
    final Map<String, Object> counts = [:]  // what is known when an action ends with a refusal
    private ImageData<BufferedImage> imageData
    private final boolean opened

    PycytoImage(PycytoProject project, ProjectImageEntry<BufferedImage> entry, ImageData<BufferedImage> imageData) {
        this.project = project
        this.entry = entry
        this.id = entry.getID()
        this.imageData = imageData
        this.opened = imageData == null
    }

    /** Whether it was open already: in the window, or in a batch of QuPath's. */
    boolean isOpen() {
        return !opened
    }

    /** The same image as a viewer shows it by now, else as it is on disk: after work that took long. */
    PycytoImage asItIsNow() {
        def viewer = project.gui?.allViewers?.find { it.imageData != null && project.project.getEntry(it.imageData) == entry }
        return new PycytoImage(project, entry, viewer?.imageData)
    }

    /** QuPath's data of the image, opened when first asked for. */
    ImageData<BufferedImage> getData() {
        if (imageData == null) {
            imageData = entry.readImageData()
        }
        return imageData
    }

    File getDataFile() {
        return entry.entryPath.resolve('data.qpdata').toFile()
    }

    File getBackupFile() {
        return new File(dataFile.parentFile, 'data.qpdata.bkp')
    }

    File getCellsFile() {
        return new File(project.workspace, "cells/${id}.geojson")
    }

    /** SHA-256 of data.qpdata, empty where the image was never saved. */
    String dataSha256() {
        if (backupFile.exists()) {
            Pycyto.refuse("A save of this image was interrupted: QuPath's backup ${backupFile} lies beside its data. "
                + 'Open the image, check that all objects are there, and save it.')
        }
        return dataFile.exists() ? PycytoFiles.sha256(dataFile) : ''
    }

    /** All objects but the root, in QuPath's order: those in memory. */
    List<PathObject> objects() {
        return withoutRoot(data.hierarchy)
    }

    /** ... and as they are on disk. */
    List<PathObject> objectsOnDisk() {
        return dataFile.exists() ? objectsIn(dataFile) : new ArrayList<PathObject>()
    }

    /** ... and as they are in a file of QuPath's data, a copy perhaps. */
    static List<PathObject> objectsIn(File data) {
        return withoutRoot(PycytoDataFile.read(data))
    }

    private static List<PathObject> withoutRoot(PathObjectHierarchy hierarchy) {
        return hierarchy.getFlattenedObjectList(null).findAll { !it.isRootObject() }
    }

    /**
     * Makes sure that the objects in memory are all that are on disk, and can be saved. QuPath opens an image
     * as empty when it cannot read its objects, and saves nothing when it cannot open the image file.
     * Returns those on disk.
     */
    List<PathObject> checkComplete() {
        List<PathObject> saved = objectsOnDisk()
        try {
            if (data?.server == null) {
                Pycyto.refuse('The image file cannot be opened. Put it back where the project expects it.', 'bad input')
            }
        } catch (PycytoRefusal refusal) {
            throw refusal
        } catch (Exception e) {
            Pycyto.refuse("QuPath cannot open this image (${e.message ?: e}). Put the image file back where the project expects it: "
                + 'QuPath does not save the objects of an image that it cannot open.', 'bad input')
        }
        if (objects().size() != saved.size()) {
            Pycyto.refuse('QuPath does not show all objects that are on disk. Close the image without saving, open it again, and start again.', 'bad input')
        }
        return saved
    }

    /** QuPath has no lock, so this is looked at last before a save: else what was saved meanwhile would be lost. */
    void checkStill(String sha) {
        if (dataSha256() != sha) {
            Pycyto.refuse('This image was saved by somebody else meanwhile, and is left as that is. '
                + 'Start again when nothing else is at work on the project.', 'stale')
        }
    }

    /** Saves what the user has not saved yet, so that the file on disk is what the window shows. */
    void saveChanges() {
        if (imageData != null && hasUnsavedObjects(imageData)) {
            save()
        }
    }

    /** The same, but not over what somebody else has saved since a state of the data. */
    void saveChanges(String since) {
        if (imageData != null && dataSha256() != since && hasUnsavedObjects(imageData)) {
            Pycyto.refuse('This image was saved meanwhile, and has other unsaved changes now. Save it, and predict again.', 'stale')
        }
        saveChanges()
    }

    void save() {
        PycytoFiles.before('save', dataFile)
        entry.saveImageData(data)
        PycytoFiles.before('saved', dataFile)
    }

    /** QuPath calls an image changed as soon as it is shown; only other objects than on disk count here. */
    private boolean hasUnsavedObjects(ImageData<BufferedImage> shown) {
        if (!dataFile.exists()) {
            return !shown.hierarchy.isEmpty()
        }
        return shown.isChanged()
            && withoutRoot(shown.hierarchy).collect { PycytoCells.feature(it) } != objectsOnDisk().collect { PycytoCells.feature(it) }
    }

    /** A batch works on its own copy of an image: refuse when a viewer holds unsaved changes of it. */
    void checkViewers() {
        if (viewers().any { hasUnsavedObjects(it.imageData) }) {
            Pycyto.refuse('This image is open with unsaved changes. Save it (File > Save), then run this script again.')
        }
    }

    /** Shows what is on disk in the viewers that hold an older copy of this image. */
    void refreshViewers() {
        def stale = viewers()
        if (stale) {
            Pycyto.inWindow { stale.each { it.setImageData(entry.readImageData()) } }
        }
    }

    private List<QuPathViewer> viewers() {
        return project.gui == null ? [] : project.gui.allViewers.findAll {
            it.imageData != null && !it.imageData.is(imageData) && project.project.getEntry(it.imageData) == entry
        }.toList()
    }

    void close() {
        if (opened && imageData != null) {
            try {
                imageData.server?.close()
            } catch (Exception notOpened) {
                Pycyto.LOG.debug('An image that could not be opened needs no closing', notOpened)
            }
        }
    }
}
