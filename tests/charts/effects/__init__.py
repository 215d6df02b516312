"""What each value says: (path, another value, where it is seen, what is seen there[, other values it needs]).

`test_effects.py` sees to it that every value is here, that the sight is as written, and that it was another before.
"""

from .log_collector import LOG_COLLECTOR
from .mongodb import MONGODB
from .monitoring import MONITORING
from .orders_api import ORDERS_API
from .tenant import TENANT
from .tidemark import TIDEMARK
from .tidemark_node import TIDEMARK_NODE

EFFECTS = {
    "mongodb": MONGODB,
    "orders-api": ORDERS_API,
    "tidemark-node": TIDEMARK_NODE,
    "tenant": TENANT,
    "monitoring": MONITORING,
    "log-collector": LOG_COLLECTOR,
    "tidemark": TIDEMARK,
}
