"""Types, errors, nodes and graphs, the two vocabularies, text, verifier, binding."""

from chainc.ir.graph import Graph as Graph
from chainc.ir.graph import Transform as Transform
from chainc.ir.graph import rebuild as rebuild
from chainc.ir.graph import substitute as substitute
from chainc.ir.graph import topological as topological
from chainc.ir.graph import with_inputs as with_inputs
from chainc.ir.node import REGISTRY as REGISTRY
from chainc.ir.node import Later as Later
from chainc.ir.node import Node as Node
from chainc.ir.node import Op as Op
from chainc.ir.node import Operand as Operand
from chainc.ir.node import Sample as Sample
from chainc.ir.node import apply as apply
from chainc.ir.node import describe as describe
from chainc.ir.origin import Derivative as Derivative
from chainc.ir.origin import Origin as Origin
from chainc.ir.origin import Rewrite as Rewrite
from chainc.ir.origin import Scope as Scope
from chainc.ir.origin import current_origin as current_origin
from chainc.ir.origin import originating as originating
from chainc.ir.origin import scope as scope
