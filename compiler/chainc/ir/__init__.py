"""Types, errors, nodes and graphs, the two vocabularies, text, verifier, binding."""

from chainc.ir.graph import REGISTRY as REGISTRY
from chainc.ir.graph import Derivative as Derivative
from chainc.ir.graph import Graph as Graph
from chainc.ir.graph import Node as Node
from chainc.ir.graph import Op as Op
from chainc.ir.graph import Operand as Operand
from chainc.ir.graph import Origin as Origin
from chainc.ir.graph import Rewrite as Rewrite
from chainc.ir.graph import Sample as Sample
from chainc.ir.graph import Scope as Scope
from chainc.ir.graph import Transform as Transform
from chainc.ir.graph import apply as apply
from chainc.ir.graph import current_origin as current_origin
from chainc.ir.graph import describe as describe
from chainc.ir.graph import originating as originating
from chainc.ir.graph import rebuild as rebuild
from chainc.ir.graph import scope as scope
from chainc.ir.graph import to_networkx as to_networkx
from chainc.ir.graph import topological as topological
from chainc.ir.graph import with_inputs as with_inputs
