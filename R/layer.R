# What all layers share: making one, putting it on a model.  Constructors are in layer-*.R.
