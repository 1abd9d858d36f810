"""Groups of the patients who wait for transport: search trees or lists, in the order in which they joined their queue.

Patients of a category who make the same demands on a vehicle are a group (`group_of`). A search tree finds the n-th of
them, counts those before a place in the queue, and finds the next after it, each in logarithmic time. The trees are
treaps (Seidel and Aragon, "Randomized search trees", Algorithmica 16, 1996): heaps by a priority that is a hash of the
node's number. Where nobody waits for a preferred facility a linked list suffices, which is faster. Patients join at the
end only.
"""

from engine.codes import CATEGORY_COUNT
from engine.kernel.codes import DEMAND_COUNT, KernelExit
from engine.kernel.state import NATION_NODES, NATION_TREES, KernelState, report_error
from engine.numeric import compiled
from engine.tables import NATIONS

_MIX = 0x45D9F3B
_LOW_32_BITS = (1 << 32) - 1


@compiled
def group_of(way: int, category: int, demand: int) -> int:
    """Return the number of the group of those who wait at a way with a category and `Demand`."""
    return (way * CATEGORY_COUNT + category) * DEMAND_COUNT + demand


@compiled
def nation_tree(group: int, nation: int) -> int:
    """Return the number of the tree of those of a nation in a group."""
    return NATION_TREES + group * NATIONS + nation


@compiled
def _group_and_nation(tree: int) -> tuple[int, int]:
    """Return the group and the nation of a tree of a nation, the inverse of `nation_tree`."""
    group = (tree - NATION_TREES) // NATIONS
    return group, tree - nation_tree(group, 0)


@compiled
def _priority(node: int) -> int:
    """Return the hash of a node's number."""
    mixed = node + 1
    mixed = ((mixed ^ (mixed >> 16)) * _MIX) & _LOW_32_BITS
    mixed = ((mixed ^ (mixed >> 16)) * _MIX) & _LOW_32_BITS
    return mixed ^ (mixed >> 16)


@compiled
def size(state: KernelState, tree: int) -> int:
    """Return the number of patients in a tree."""
    root = int(state.queue_trees[tree]) - 1
    return int(state.queue_nodes[root].size) if root >= 0 else 0


@compiled
def append(state: KernelState, tree: int, node: int, ticket: int) -> None:
    """Add a node at the end of a tree. `ticket` is its place in the queue, higher than those of all before it."""
    added = state.queue_nodes[node]
    added.ticket = ticket
    added.group = tree
    added.in_list = 0
    above = -1
    below = int(state.queue_trees[tree]) - 1
    while below >= 0 and _priority(below) >= _priority(node):
        state.queue_nodes[below].size += 1
        above = below
        below = int(state.queue_nodes[below].right)
    added.left = below
    added.right = -1
    added.size = 1 + (state.queue_nodes[below].size if below >= 0 else 0)
    if above < 0:
        state.queue_trees[tree] = node + 1
    else:
        state.queue_nodes[above].right = node


@compiled
def append_to_list(state: KernelState, group: int, node: int, ticket: int) -> None:
    """Add a node at the end of a list; `ticket` as in `append`."""
    added = state.queue_nodes[node]
    added.ticket = ticket
    added.group = group
    added.size = 0
    added.in_list = 1
    added.left = state.list_last[group] - 1
    added.right = -1
    state.list_last[group] = node + 1
    if added.left < 0:
        state.queue_trees[group] = node + 1
    else:
        state.queue_nodes[added.left].right = node


@compiled
def _remove_from_list(state: KernelState, node: int) -> None:
    """Remove a node from its list."""
    removed = state.queue_nodes[node]
    removed.in_list = 0
    if removed.left < 0:
        state.queue_trees[removed.group] = removed.right + 1
    else:
        state.queue_nodes[removed.left].right = removed.right
    if removed.right < 0:
        state.list_last[removed.group] = removed.left + 1
    else:
        state.queue_nodes[removed.right].left = removed.left


@compiled
def _replace(state: KernelState, tree: int, above: int, is_right: bool, node: int) -> None:
    """Set a child of `above`, or the root of the tree where `above` is -1."""
    if above < 0:
        state.queue_trees[tree] = node + 1
    elif is_right:
        state.queue_nodes[above].right = node
    else:
        state.queue_nodes[above].left = node


@compiled
def remove(state: KernelState, node: int) -> None:
    """Remove a node from its tree or list."""
    removed = state.queue_nodes[node]
    if removed.in_list:
        _remove_from_list(state, node)
        return
    if removed.size == 0:
        report_error(state, KernelExit.NOT_IN_QUEUE)
        return
    tree = int(removed.group)
    above = -1
    is_right = False
    at = int(state.queue_trees[tree]) - 1
    while at >= 0 and at != node:
        state.queue_nodes[at].size -= 1
        above = at
        is_right = state.queue_nodes[at].ticket < removed.ticket
        at = int(state.queue_nodes[at].right) if is_right else int(state.queue_nodes[at].left)
    if at < 0:
        report_error(state, KernelExit.NOT_IN_QUEUE)
        return
    removed.size = 0
    left = int(removed.left)
    right = int(removed.right)
    while left >= 0 and right >= 0:
        if _priority(left) >= _priority(right):
            state.queue_nodes[left].size += state.queue_nodes[right].size
            _replace(state, tree, above, is_right, left)
            above = left
            is_right = True
            left = int(state.queue_nodes[left].right)
        else:
            state.queue_nodes[right].size += state.queue_nodes[left].size
            _replace(state, tree, above, is_right, right)
            above = right
            is_right = False
            right = int(state.queue_nodes[right].left)
    _replace(state, tree, above, is_right, max(left, right))


@compiled
def join_group(state: KernelState, group: int, in_list: bool, nation: int, slot: int) -> None:
    """Add a patient at the end of a group, and of its nation's tree where the nations are separate.

    `in_list`: the group is a list. Groups of separate nations are trees.
    """
    state.last_ticket += 1
    if in_list:
        append_to_list(state, group, slot, state.last_ticket)
        return
    append(state, group, slot, state.last_ticket)
    if state.separates_nations:
        append(state, nation_tree(group, nation), NATION_NODES + slot, state.last_ticket)
        state.nations_waiting[group] |= 1 << nation


@compiled
def leave_group(state: KernelState, slot: int) -> None:
    """Remove a patient from what `join_group` added the patient to."""
    remove(state, slot)
    if state.separates_nations:
        node = NATION_NODES + slot
        remove(state, node)
        tree = int(state.queue_nodes[node].group)
        if state.queue_trees[tree] == 0:
            group, nation = _group_and_nation(tree)
            state.nations_waiting[group] &= ~(1 << nation)


@compiled
def first(state: KernelState, tree: int) -> int:
    """Return the first node of a tree or list; -1 if it is empty."""
    at = int(state.queue_trees[tree]) - 1
    if at >= 0:
        while state.queue_nodes[at].left >= 0:
            at = int(state.queue_nodes[at].left)
    return at


@compiled
def nth(state: KernelState, tree: int, n: int) -> int:
    """Return the node of a tree before which `n` others come; -1 if there are no more than `n`."""
    at = int(state.queue_trees[tree]) - 1
    while at >= 0:
        row = state.queue_nodes[at]
        before = int(state.queue_nodes[row.left].size) if row.left >= 0 else 0
        if n < before:
            at = int(row.left)
        elif n == before:
            return at
        else:
            n -= before + 1
            at = int(row.right)
    return -1


@compiled
def rank(state: KernelState, tree: int, ticket: int) -> int:
    """Return how many of a tree come before a place in the queue."""
    before = 0
    at = int(state.queue_trees[tree]) - 1
    while at >= 0:
        row = state.queue_nodes[at]
        if row.ticket < ticket:
            before += 1 + (int(state.queue_nodes[row.left].size) if row.left >= 0 else 0)
            at = int(row.right)
        else:
            at = int(row.left)
    return before


@compiled
def following(state: KernelState, tree: int, ticket: int) -> int:
    """Return the first node of a tree that comes after a place in the queue; -1 if there is none."""
    found = -1
    at = int(state.queue_trees[tree]) - 1
    while at >= 0:
        row = state.queue_nodes[at]
        if row.ticket > ticket:
            found = at
            at = int(row.left)
        else:
            at = int(row.right)
    return found
