"""The network of `chainrule demo`, as one writes it: pictures and pages point to these lines."""

import chainrule as cr
from chainrule import nn, optim
from chainrule.declare import losses, metrics

x = cr.input("x", ("batch", 64))
y = cr.input("y", ("batch",), dtype="int32")
model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
logits = model(x)
loss = losses.cross_entropy(logits, y)
accuracy = metrics.accuracy(logits, y)
step = optim.SGD(lr=0.1, momentum=0.9).minimize(loss)
