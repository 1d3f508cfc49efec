"""The grid: which points of many are near each other. Points are sorted into square cells, and near cells compared.

Knows arrays of numbers and nothing of tables. Works without the GIL. Points that are NaN, infinite or masked out are
passed over. There are at most three cells to a point, however far apart the points lie, so memory stays bounded; points
that are spread very unevenly share cells, and cost more.
"""

from cython cimport internal
from libc.math cimport INFINITY, fabs, hypot, isfinite, sqrt
from libc.stdint cimport int32_t, uint8_t
from libc.stdlib cimport calloc, free, malloc, qsort, realloc

from monkeytown._core.arrays cimport Array, Source, adopt_array, new_array, read_doubles, read_flags

cdef enum:
    MAX_POINTS = 1 << 24
    FIRST_PAIRS = 256

# Distances are compared as the caller computes them; cells are a little larger, so that rounding cannot put two
# points that are near enough further apart than one cell.
cdef double MARGIN = 1.000001

# Squares between these are as exact as their roots; others overflow or vanish, and lengths are compared instead.
cdef double SMALL = 1e-280
cdef double LARGE = 1e300


cdef inline bint is_exact(double square) noexcept nogil:
    return SMALL <= square <= LARGE


cdef inline double length(double dx, double dy) noexcept nogil:
    cdef double square = dx * dx + dy * dy
    return sqrt(square) if is_exact(square) else hypot(dx, dy)


cdef struct Pairs:
    int32_t *first
    int32_t *second
    Py_ssize_t count
    Py_ssize_t capacity


cdef int push(Pairs *pairs, int32_t first, int32_t second) noexcept nogil:
    """-1 when there is no memory."""
    cdef Py_ssize_t grown
    cdef void *memory
    if pairs.count == pairs.capacity:
        grown = max(<Py_ssize_t>FIRST_PAIRS, 2 * pairs.capacity)
        memory = realloc(pairs.first, grown * sizeof(int32_t))
        if memory is NULL:
            return -1
        pairs.first = <int32_t *>memory
        memory = realloc(pairs.second, grown * sizeof(int32_t))
        if memory is NULL:
            return -1
        pairs.second = <int32_t *>memory
        pairs.capacity = grown
    pairs.first[pairs.count], pairs.second[pairs.count] = first, second
    pairs.count += 1
    return 0


cdef int in_order(const void *one, const void *other) noexcept nogil:
    cdef int32_t a = (<const int32_t *>one)[0], b = (<const int32_t *>other)[0]
    return (a > b) - (a < b)


cdef void sort(int32_t *run, Py_ssize_t n) noexcept nogil:
    """A run of partners. Mostly a few of them, and each cell's are in order already."""
    cdef Py_ssize_t i, j
    cdef int32_t value
    if n > 32:
        qsort(run, n, sizeof(int32_t), in_order)
        return
    for i in range(1, n):
        value = run[i]
        j = i
        while j > 0 and run[j - 1] > value:
            run[j] = run[j - 1]
            j -= 1
        run[j] = value


@internal
cdef class Grid:
    """Points sorted by cell. Coordinates are halved for the cells, so that no difference of two overflows."""

    cdef tuple sources             # hold the memory of the three below
    cdef const double *x
    cdef const double *y
    cdef const uint8_t *mask       # NULL: all
    cdef int32_t n
    cdef int32_t held              # points that are finite and not masked out
    cdef double left, top          # halved
    cdef double right, bottom
    cdef double size               # of a cell, halved
    cdef double scale              # cells per halved unit
    cdef int32_t columns, rows
    cdef int32_t *start            # by cell: where its points begin in the arrays below
    cdef int32_t *order            # points, cell after cell, in order of their index
    cdef double *sorted_x
    cdef double *sorted_y

    def __dealloc__(self):
        free(self.start)
        free(self.order)
        free(self.sorted_x)
        free(self.sorted_y)

    cdef int fill(self, Source x, Source y, Source mask, double radius) except -1:
        """Sorts the points into cells no smaller than `radius`."""
        cdef bint done
        if x.count != y.count or (mask is not None and mask.count != x.count):
            raise ValueError("x, y and mask are equally long")
        if x.count > MAX_POINTS:
            raise ValueError(f"there are more than {MAX_POINTS} points")
        self.x, self.y, self.n = <const double *>x.view.buf, <const double *>y.view.buf, <int32_t>x.count
        self.mask = <const uint8_t *>mask.view.buf if mask is not None else NULL
        self.order = <int32_t *>malloc((self.n + 1) * sizeof(int32_t))
        self.sorted_x = <double *>malloc((self.n + 1) * sizeof(double))
        self.sorted_y = <double *>malloc((self.n + 1) * sizeof(double))
        if self.order is NULL or self.sorted_x is NULL or self.sorted_y is NULL:
            raise MemoryError
        with nogil:
            self.measure()
            self.divide(radius)
            done = self.count_and_sort()
        if not done:
            raise MemoryError
        return 0

    cdef bint counts(self, int32_t i) noexcept nogil:
        return (self.mask is NULL or self.mask[i] != 0) and isfinite(self.x[i]) and isfinite(self.y[i])

    cdef void measure(self) noexcept nogil:
        cdef int32_t i, held = 0
        self.left, self.top, self.right, self.bottom = INFINITY, INFINITY, -INFINITY, -INFINITY
        for i in range(self.n):
            if self.counts(i):
                held += 1
                self.left, self.right = min(self.left, self.x[i] * 0.5), max(self.right, self.x[i] * 0.5)
                self.top, self.bottom = min(self.top, self.y[i] * 0.5), max(self.bottom, self.y[i] * 0.5)
        self.held = held

    cdef void divide(self, double radius) noexcept nogil:
        """How large the cells are, and how many."""
        cdef double width = 0, height = 0, size = radius * 0.5 * MARGIN
        cdef double n = max(self.held, 1)
        if self.held:
            width, height = self.right - self.left, self.bottom - self.top
        size = max(size, sqrt(width) * sqrt(height) / sqrt(n))
        size = max(size, max(width, height) / n)
        self.size = max(size, 1e-300)
        self.scale = 1 / self.size
        self.columns, self.rows = <int32_t>(width * self.scale) + 1, <int32_t>(height * self.scale) + 1

    cdef int32_t column_of(self, double x) noexcept nogil:
        """Clamped: what lies outside belongs to the cells at the edge."""
        cdef double column = (x * 0.5 - self.left) * self.scale
        return 0 if not column > 0 else self.columns - 1 if column >= self.columns else <int32_t>column

    cdef int32_t row_of(self, double y) noexcept nogil:
        cdef double row = (y * 0.5 - self.top) * self.scale
        return 0 if not row > 0 else self.rows - 1 if row >= self.rows else <int32_t>row

    cdef bint count_and_sort(self) noexcept nogil:
        cdef Py_ssize_t cells = <Py_ssize_t>self.columns * self.rows, cell
        cdef int32_t i, place, before = 0, own
        cdef int32_t *cell_of = <int32_t *>malloc((self.n + 1) * sizeof(int32_t))
        cdef int32_t *start = <int32_t *>calloc(cells + 1, sizeof(int32_t))
        self.start = start
        if start is NULL or cell_of is NULL:
            free(cell_of)
            return False
        for i in range(self.n):
            cell_of[i] = -1
            if self.counts(i):
                cell_of[i] = self.row_of(self.y[i]) * self.columns + self.column_of(self.x[i])
                start[cell_of[i]] += 1
        for cell in range(cells):
            own = start[cell]
            start[cell] = before
            before += own
        for i in range(self.n):
            if cell_of[i] >= 0:
                place = start[cell_of[i]]
                start[cell_of[i]] += 1
                self.order[place], self.sorted_x[place], self.sorted_y[place] = i, self.x[i], self.y[i]
        # Each start stands where the next cell begins: shift them back by one.
        for cell in range(cells, 0, -1):
            start[cell] = start[cell - 1]
        start[0] = 0
        free(cell_of)
        return True

    cdef int pairs_of(self, double x, double y, double radius, int32_t query, bint above, Pairs *pairs) noexcept nogil:
        """All points within `radius`, in order of their index; with `above` only those after `query`. -1: no memory."""
        cdef int32_t left = max(self.column_of(x - radius * MARGIN), self.column_of(x) - 1)
        cdef int32_t right = min(self.column_of(x + radius * MARGIN), self.column_of(x) + 1)
        cdef int32_t top = max(self.row_of(y - radius * MARGIN), self.row_of(y) - 1)
        cdef int32_t bottom = min(self.row_of(y + radius * MARGIN), self.row_of(y) + 1)
        cdef int32_t row, at
        cdef double dx, dy
        cdef bint exact = is_exact(radius * radius)
        cdef double most = radius * radius if exact else INFINITY
        cdef Py_ssize_t begin = pairs.count
        for row in range(top, bottom + 1):
            for at in range(self.start[row * self.columns + left], self.start[row * self.columns + right + 1]):
                dx, dy = self.sorted_x[at] - x, self.sorted_y[at] - y
                if (dx * dx + dy * dy <= most and fabs(dx) <= radius and fabs(dy) <= radius
                        and not (above and self.order[at] <= query) and (exact or hypot(dx, dy) <= radius)):
                    if push(pairs, query, self.order[at]):
                        return -1
        sort(pairs.second + begin, pairs.count - begin)
        return 0

    cdef int32_t nearest_to(self, double x, double y, double radius, double *distance) noexcept nogil:
        """The nearest point, the first of several as near, or -1."""
        cdef double best
        cdef bint squares = radius * radius >= SMALL
        cdef int32_t found = self.search(x, y, radius, squares, &best)
        if squares and found >= 0 and not is_exact(best) and not (self.x[found] == x and self.y[found] == y):
            squares = False
            found = self.search(x, y, radius, squares, &best)
        distance[0] = INFINITY if found < 0 else sqrt(best) if squares else best
        return found

    cdef int32_t search(self, double x, double y, double radius, bint squares, double *best) noexcept nogil:
        """Looks at the cell of (x, y), then at rings around it. `best` is how far what it finds is, or the square of that."""
        cdef int32_t column = self.column_of(x), row = self.row_of(y), ring, one, left, right, found = -1
        cdef double reach, most = radius
        if squares:
            most = radius * radius if is_exact(radius * radius) else INFINITY
        best[0] = INFINITY
        for ring in range(max(self.columns, self.rows)):
            reach = (ring - 1) * (self.size * 2 / MARGIN) if ring else -1
            if reach > radius or (found >= 0 and reach > 0 and best[0] < (reach * reach if squares else reach)):
                break
            left, right = max(column - ring, 0), min(column + ring, self.columns - 1)
            for one in range(max(row - ring, 0), min(row + ring, self.rows - 1) + 1):
                if one == row - ring or one == row + ring:
                    self.look(one, left, right, x, y, radius, most, squares, &found, best)
                    continue
                if column - ring >= 0:
                    self.look(one, left, left, x, y, radius, most, squares, &found, best)
                if column + ring < self.columns:
                    self.look(one, right, right, x, y, radius, most, squares, &found, best)
        return found

    cdef void look(
        self, int32_t row, int32_t left, int32_t right, double x, double y, double radius, double most, bint squares,
        int32_t *found, double *best
    ) noexcept nogil:
        cdef int32_t at
        cdef double dx, dy, apart
        for at in range(self.start[row * self.columns + left], self.start[row * self.columns + right + 1]):
            dx, dy = self.sorted_x[at] - x, self.sorted_y[at] - y
            apart = dx * dx + dy * dy if squares else hypot(dx, dy)
            if not (apart <= most and fabs(dx) <= radius and fabs(dy) <= radius):
                continue
            if found[0] < 0 or apart < best[0] or (apart == best[0] and self.order[at] < found[0]):
                found[0], best[0] = self.order[at], apart


cdef double checked(double radius) except -1:
    if not radius >= 0:
        raise ValueError(f"a radius is not {radius}")
    return radius


cdef int sorted_pairs(Grid grid, Source xq, Source yq, double radius, Pairs *pairs) except -1:
    """Fills in the pairs of queries and points, or of points among themselves without queries."""
    cdef int32_t i, failed = 0
    cdef int32_t n = <int32_t>xq.count if xq is not None else grid.n
    cdef const double *x = <const double *>xq.view.buf if xq is not None else grid.x
    cdef const double *y = <const double *>yq.view.buf if yq is not None else grid.y
    cdef bint among = xq is None
    with nogil:
        for i in range(n):
            if not isfinite(x[i]) or not isfinite(y[i]) or (among and not grid.counts(i)):
                continue
            if grid.pairs_of(x[i], y[i], radius, i, among, pairs):
                failed = 1
                break
    if failed:
        raise MemoryError
    return 0


cdef object give(Pairs *pairs):
    """The pairs as two arrays, which own the memory from now on."""
    cdef Array first, second
    if not pairs.count:
        return memoryview(new_array(c"i", 0)), memoryview(new_array(c"i", 0))
    first = adopt_array(c"i", pairs.count, pairs.first)
    pairs.first = NULL
    second = adopt_array(c"i", pairs.count, pairs.second)
    pairs.second = NULL
    return memoryview(first), memoryview(second)


cdef Grid grid_of(object x, object y, object mask, double radius):
    cdef Grid grid = Grid.__new__(Grid)
    grid.sources = (read_doubles(x, "x"), read_doubles(y, "y"), None if mask is None else read_flags(mask, "mask"))
    grid.fill(grid.sources[0], grid.sources[1], grid.sources[2], radius)
    return grid


cdef object queries(object xq, object yq):
    cdef Source x = read_doubles(xq, "xq"), y = read_doubles(yq, "yq")
    if x.count != y.count:
        raise ValueError("xq and yq are equally long")
    if x.count > MAX_POINTS:
        raise ValueError(f"there are more than {MAX_POINTS} queries")
    return x, y


def neighbours(x, y, double radius, *, mask=None):
    """All pairs of points that are at most `radius` apart: two int32 arrays (first, second), first < second, in order."""
    cdef Pairs pairs = Pairs(NULL, NULL, 0, 0)
    cdef Grid grid = grid_of(x, y, mask, checked(radius))
    try:
        sorted_pairs(grid, None, None, radius, &pairs)
        return give(&pairs)
    finally:
        free(pairs.first)
        free(pairs.second)


def within(xq, yq, x, y, double radius, *, mask=None):
    """All points at most `radius` from each query: two int32 arrays (query, point), in order of both."""
    cdef Pairs pairs = Pairs(NULL, NULL, 0, 0)
    cdef Grid grid
    cdef Source xs, ys
    xs, ys = queries(xq, yq)
    grid = grid_of(x, y, mask, checked(radius))
    try:
        sorted_pairs(grid, xs, ys, radius, &pairs)
        return give(&pairs)
    finally:
        free(pairs.first)
        free(pairs.second)


def nearest(xq, yq, x, y, *, double radius=INFINITY, mask=None):
    """For each query the nearest point within `radius`: its index, or -1 (int32), and its distance, or infinity (float64)."""
    cdef Source xs, ys
    cdef Grid grid
    cdef Array found, distance
    cdef int32_t i
    xs, ys = queries(xq, yq)
    checked(radius)
    grid = grid_of(x, y, mask, 0)
    found, distance = new_array(c"i", xs.count), new_array(c"d", xs.count)
    cdef const double *px = <const double *>xs.view.buf
    cdef const double *py = <const double *>ys.view.buf
    cdef int32_t *index = <int32_t *>found.data
    cdef double *apart = <double *>distance.data
    with nogil:
        for i in range(<int32_t>xs.count):
            index[i], apart[i] = -1, INFINITY
            if grid.held and isfinite(px[i]) and isfinite(py[i]):
                index[i] = grid.nearest_to(px[i], py[i], radius, apart + i)
    return memoryview(found), memoryview(distance)


def collisions(x, y, radius, *, mask=None):
    """All pairs of circles that overlap: (first, second, depth, normal_x, normal_y), in order, first < second.

    `radius` is one for all, or float64, one for each; a circle whose radius is negative or not finite is passed over. To
    end an overlap, move `second` by the depth along the normal, or each by half of it. Circles around one
    point are pushed apart along x.
    """
    cdef Source radii = None
    cdef Source xs = read_doubles(x, "x")
    cdef double largest = 0, common = 0
    cdef Grid grid
    cdef Pairs pairs = Pairs(NULL, NULL, 0, 0)
    cdef const double *sizes = NULL
    cdef int32_t i
    if isinstance(radius, (int, float)):
        common = largest = checked(radius)
    else:
        radii = read_doubles(radius, "radius")
        if radii.count != xs.count:
            raise ValueError("there are as many radii as points")
        sizes = <const double *>radii.view.buf
        for i in range(<int32_t>min(radii.count, <Py_ssize_t>MAX_POINTS)):
            if isfinite(sizes[i]) and isfinite((<const double *>xs.view.buf)[i]):
                largest = max(largest, sizes[i])
    grid = grid_of(x, y, mask, 2 * largest)
    try:
        sorted_pairs(grid, None, None, 2 * largest, &pairs)
        return overlaps(grid, sizes, common, &pairs)
    finally:
        free(pairs.first)
        free(pairs.second)


cdef bint is_radius(double size) noexcept nogil:
    return isfinite(size) and size >= 0


cdef object overlaps(Grid grid, const double *sizes, double common, Pairs *pairs):
    """Of the pairs that are near enough, those whose circles overlap."""
    cdef Py_ssize_t i, count = 0
    cdef int32_t first, second
    cdef double dx, dy, apart, reach
    cdef Array depth = new_array(c"d", pairs.count)
    cdef Array along_x = new_array(c"d", pairs.count), along_y = new_array(c"d", pairs.count)
    cdef double *depths = <double *>depth.data
    cdef double *normal_x = <double *>along_x.data
    cdef double *normal_y = <double *>along_y.data
    with nogil:
        for i in range(pairs.count):
            first, second = pairs.first[i], pairs.second[i]
            reach = 2 * common if sizes is NULL else sizes[first] + sizes[second]
            dx, dy = grid.x[second] - grid.x[first], grid.y[second] - grid.y[first]
            apart = length(dx, dy)
            if not apart < reach or not (sizes is NULL or (is_radius(sizes[first]) and is_radius(sizes[second]))):
                continue
            depths[count] = reach - apart
            normal_x[count] = dx / apart if apart > 0 else 1
            normal_y[count] = dy / apart if apart > 0 else 0
            pairs.first[count], pairs.second[count] = first, second
            count += 1
    pairs.count = depth.count = along_x.count = along_y.count = count
    return (*give(pairs), memoryview(depth), memoryview(along_x), memoryview(along_y))
