// Says when the plots stand.
whenDrawn(() => { document.body.dataset.ready = "yes"; });
