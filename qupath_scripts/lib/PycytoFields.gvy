/*
 * Fields of a public set with their cells: objects from GeoJSON files, and a project of such images.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import java.awt.image.BufferedImage
import qupath.lib.common.ColorTools
import qupath.lib.images.ImageData
import qupath.lib.images.servers.ImageServerMetadata
import qupath.lib.images.servers.ImageServers
import qupath.lib.io.PathIO
import qupath.lib.objects.classes.PathClass
import qupath.lib.projects.ProjectImageEntry
import qupath.lib.projects.Projects

class PycytoFields {
    private static final double THUMBNAIL = 240

    /**
     * Makes a project of the fields that a recipe lists, each with its cells.
     *
     * @param recipe  JSON: "classes" (name: [red, green, blue]), "images" ("file", "name", "mpp", "metadata");
     *                the files of cells lie beside it
     */
    static void makeProject(File folder, File recipe) {
        Map<String, Object> wanted = PycytoFiles.toMap(PycytoFiles.readJson(recipe))
        def project = Projects.createProject(new File(folder, 'project.qpproj'), BufferedImage)
        project.setPathClasses((wanted.classes as Map<String, List<Number>>).collect { name, rgb -> pathClass(name, rgb) })
        (wanted.images as List<Map<String, Object>>).each { addImage(project, it) }
        project.syncChanges()
        def ours = PycytoProject.open(new File(folder, 'project.qpproj'))
        ours.imageIds.each { String id ->
            def image = ours.image(id)
            try {
                load(image, recipe.parentFile)
            } finally {
                image.close()
            }
        }
    }

    private static PathClass pathClass(String name, List<Number> rgb) {
        def made = PathClass.fromString(name)
        made.setColor(ColorTools.packRGB(rgb[0].intValue(), rgb[1].intValue(), rgb[2].intValue()))
        return made
    }

    private static void addImage(project, Map<String, Object> field) {
        def support = ImageServers.getImageSupport(new File(field.file as String).toURI())
        ProjectImageEntry<BufferedImage> entry = project.addImage(support.builders[0])
        entry.imageName = field.name as String
        (field.metadata as Map<String, String>).each { key, value -> entry.putMetadataValue(key, value) }
        def data = entry.readImageData()
        data.imageType = ImageData.ImageType.BRIGHTFIELD_OTHER  // else the window asks for it
        if (field.mpp) {
            double mpp = (field.mpp as Number).doubleValue()
            data.updateServerMetadata(new ImageServerMetadata.Builder(data.server.metadata).pixelSizeMicrons(mpp, mpp).build())
        }
        entry.saveImageData(data)
        def server = data.server
        entry.thumbnail = server.readRegion(Math.max(server.width, server.height) / THUMBNAIL, 0, 0, server.width, server.height)
        server.close()
    }

    /** Adds those cells of "<image name>.geojson" that the image has not yet, saves, and returns the counts. */
    static Map<String, Object> load(PycytoImage image, File folder) {
        def file = new File(folder, "${image.entry.imageName}.geojson")
        if (!file.isFile()) {
            return [skipped: ['no file of cells for this image': 1]]
        }
        def sha = image.dataSha256()
        def there = image.checkComplete()*.getID() as Set
        def cells = PathIO.readObjects(file)
        def added = cells.findAll { !(it.getID() in there) }
        if (added) {
            image.data.hierarchy.addObjects(added)
            image.checkStill(sha)
            image.save()
            checkAdded(image, there.size() + added.size())
        }
        PycytoCells.write(image)
        return [added: added.size(), 'already there': cells.size() - added.size()]
    }

    /** QuPath only logs when a save fails. */
    private static void checkAdded(PycytoImage image, int wanted) {
        int found = image.objectsOnDisk().size()
        if (found != wanted) {
            Pycyto.refuse("Of ${wanted} objects ${found} were saved. Make room on the disk, then start again.", 'partly done')
        }
    }
}
