/*
 * Makes the project of benchmarks/bulk.py: images that share one small file, each with
 * annotations as an expert would draw them. Bound: folder, picture, cells (a number per image).
 */
import java.awt.image.BufferedImage
import qupath.lib.images.ImageData
import qupath.lib.images.servers.ImageServers
import qupath.lib.objects.PathObjects
import qupath.lib.objects.classes.PathClass
import qupath.lib.projects.Projects
import qupath.lib.regions.ImagePlane
import qupath.lib.roi.ROIs

int vertices = 20
double side = 3000.0d
def project = Projects.createProject(new File(folder), BufferedImage)
def plane = ImagePlane.getDefaultPlane()
def classes = ['NILM', 'ASC-US', 'LSIL', 'HSIL'].collect { PathClass.fromString(it) }
def random = new Random(0)
cells.eachWithIndex { Integer n, int number ->
    def entry = project.addImage(ImageServers.getImageSupport(new File(picture).toURI()).builders[0])
    entry.imageName = "field ${number + 1}.png"
    if (n) {
        def data = entry.readImageData()
        data.imageType = ImageData.ImageType.BRIGHTFIELD_OTHER
        data.hierarchy.addObjects((0..<n).collect {
            double x = 40 + random.nextDouble() * (side - 80), y = 40 + random.nextDouble() * (side - 80)
            double radius = 8 + 30 * random.nextDouble()
            def xs = new double[vertices], ys = new double[vertices]
            vertices.times { i ->
                double angle = 2 * Math.PI * i / vertices
                xs[i] = x + radius * Math.cos(angle)
                ys[i] = y + radius * Math.sin(angle)
            }
            PathObjects.createAnnotationObject(ROIs.createPolygonROI(xs, ys, plane), classes[it % 4])
        })
        entry.saveImageData(data)
        data.server.close()
    }
}
project.syncChanges()
