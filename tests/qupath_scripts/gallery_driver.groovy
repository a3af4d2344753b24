/*
 * Plays the gallery without QuPath and without a window, for tests:
 *   java -cp groovy.jar groovy.ui.GroovyMain gallery_driver.groovy qupath_scripts/lib
 * Each line that it reads is a command with tabs between its parts; each is answered by one line.
 */
import org.codehaus.groovy.control.CompilerConfiguration

def loader = new GroovyClassLoader(getClass().classLoader, new CompilerConfiguration(scriptExtensions: ['gvy'] as Set, defaultScriptExtension: 'gvy'))
loader.addClasspath(args[0])
def cellClass = loader.loadClass('PycytoCell')
def galleryClass = loader.loadClass('PycytoGallery')
def refusalClass = loader.loadClass('PycytoRefusal')

/** Stands for the slides: keeps decisions as the log does, and refuses what concerns a locked object. */
class Desk {
    Class refusal
    List<String> lines = []
    Set<String> locked = [], loading = [], blank = []

    String sightOf(Object cell) {
        return cell.objectId in blank ? 'no picture' : cell.objectId in loading ? 'loading' : 'shown'
    }

    Map<String, Object> decide(Object cell, String action, String label, String way) {
        return add(cell, [decision: "d${lines.size()}".toString(), action: action, label: label, old_class: cell.expertClass, new_class: label ?: cell.expertClass], way)
    }

    void takeBack(Object cell, Map<String, Object> taken) {
        add(cell, [decision: "d${lines.size()}".toString(), action: 'take back', takes_back: taken.decision, old_class: cell.expertClass, new_class: taken.old_class], 'gallery')
    }

    private Map<String, Object> add(Object cell, Map<String, Object> line, String way) {
        if (cell.objectId in locked && line.old_class != line.new_class) {
            throw refusal.getConstructor(String).newInstance('locked')
        }
        cell.elsewhere = null
        cell.replay(cell.decisions + [line])
        cell.expertClass = cell.expertLabel = line.new_class
        lines << [cell.objectId, line.action, line.label ?: '', way].join(',')
        return line
    }
}

def labels = ['NILM', 'ASC-US', 'LSIL', 'HSIL']
def cells = []
def desk, gallery
def commands = [
    start: { columns, rows, hsilAbove ->
        cells.clear()
        desk = new Desk(refusal: refusalClass)
        gallery = galleryClass.newInstance([classes: labels, columns: columns as int, rows: rows as int, hsilAbove: hsilAbove as double], desk,
            { label, state -> cells.findAll { it.predicted == label && (state == null || it.state == state) } })
    },
    cell: { entry, id, predicted, expert, probabilities, traits ->
        def cell = cellClass.newInstance(entryId: entry, objectId: id, detectionId: "new ${id}", x: 0, y: 0, predicted: predicted,
            labels: labels, probabilities: probabilities.split(',')*.toDouble() as double[], isTrainedOn: false)
        cell.expertClass = cell.expertLabel = expert ?: null
        cell.elsewhere = traits.contains('elsewhere') ? 'NILM since' : null
        ['locked', 'loading', 'blank'].findAll { traits.contains(it) }.each { desk[it] << id }
        cells << cell
    },
    loaded: { desk.loading.clear() },
    show: { label, state -> gallery.show(label, state == 'all' ? null : state) },
    press: { key -> gallery.press(key) },
]
System.in.eachLine('UTF-8') { line ->
    def parts = line.split('\t', -1) as List
    int before = desk ? desk.lines.size() : 0
    commands[parts[0]].call(*parts.tail())
    println([gallery.label ?: '', gallery.at, gallery.page, gallery.pages, gallery.chosen?.objectId ?: '', gallery.pageCells()*.objectId.join(','),
             gallery.pageCells()*.state.join(','), desk.lines.drop(parts[0] == 'start' ? 0 : before).join(';'),
             gallery.label ? gallery.ahead*.objectId.join(',') : '', gallery.message].join('\t'))
    System.out.flush()
}
